"""Knative's RabbitMQ Broker and RabbitmqSource on plain machines, over exactly their exchanges, queues and headers.

Reading order: `topology` names and declares what is in RabbitMQ, `message` turns events into messages and back,
`connection` keeps a connection up; on these stand `ingress` (HTTP in), `dispatcher` (a Trigger's events out) and
`source` (messages of other systems in).
"""
