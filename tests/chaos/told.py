"""After a storm: who was told of what, by mail, webhook, chat and SMS."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from events.catalogue import AudioCreated, ConversionFailed
from tests.chaos.orders import Customer, Order
from tests.chaos.storm import Storm

__all__ = ["check"]

BATCH_OVER = "batch is over"
# Of each notice: how often it was tried, and how many of these tries ended well. A batch is no job.
TRIES = f"""
    SELECT users.email, COALESCE(jobs.filename, '{BATCH_OVER}') AS name, notifications.channel, COUNT(*) AS tries,
           SUM(notice_attempts.outcome = 'sent') AS sent
      FROM notifications JOIN users ON users.id = notifications.user_id
      JOIN notice_attempts ON notice_attempts.delivery_id = notifications.delivery_id
      LEFT JOIN jobs ON jobs.id = notifications.job_id
     GROUP BY notifications.delivery_id, users.email, jobs.filename, notifications.channel
"""
NEWS = {"done": AudioCreated.TYPE, "failed": ConversionFailed.TYPE}


def check(storm: Storm, ledger: sa.Engine, jobs: dict[int, list[dict[str, Any]]]) -> Iterator[str]:
    """What is wrong, in words. `jobs` are those of each customer, by number, as the API shows them."""
    yield from _check_mails(storm)
    with ledger.connect() as connection:
        tries = connection.execute(sa.text(TRIES)).all()
    yield from _check_tries(tries)
    for customer in storm.customers:
        orders = [order for order in storm.orders if order.customer is customer]
        chat = [json.loads(body) for _, body in list(storm.chats[customer.number].got)]
        yield from _check_hook(storm, customer, jobs[customer.number])
        chats, messages = [f"{said['title']}\n{said['message']}" for said in chat], customer.messages(storm.telephones)
        yield from _check_chat(customer, orders, chats)
        yield from _check_sms(customer, orders, messages)
        mine = [row for row in tries if row.email == customer.email]
        yield from _check_came(mine, {"service": chats, "sms": messages})
    _print_copies(storm)


def _check_mails(storm: Storm) -> Iterator[str]:
    """Each job, or batch, was told of under one Message-ID. A mail may come twice under the same."""
    told = Counter(subject for subject, _ in {(mail["subject"], mail["id"]) for mail in storm.mail.mails})
    for order in storm.orders:
        said = sum(count for subject, count in told.items() if order.names[0] in subject)
        # Whoever deletes a job may have been told of it before.
        if said not in ({0, 1} if order.goes else {0} if order.kind == "batch" else {1}):
            yield f"{order.names[0]}: {said} different mails"
    batches = sum(order.kind == "batch" for order in storm.orders)
    others = {subject: count for subject, count in told.items() if not _is_about_a_job(storm.orders, subject)}
    if sum(others.values()) != batches + len(storm.customers):
        yield f"not one mail for each of {batches} batches and {len(storm.customers)} accounts: {others}"
    mails = len(storm.mail.mails)
    print(f"{mails} mails, {mails - sum(told.values())} of them copies under the same Message-ID")


def _check_hook(storm: Storm, customer: Customer, jobs: list[dict[str, Any]]) -> Iterator[str]:
    """Each customer's webhook got the news of each of their jobs, under one webhook-id, and of no other."""
    got: dict[str, set[tuple[str, str]]] = {}
    for headers, body in list(storm.hooks[customer.number].got):
        event = json.loads(body)
        got.setdefault(event["subject"], set()).add((headers["webhook-id"], event["type"]))
    states = {job["id"]: job["state"] for job in jobs}
    others = {*got} - {*states, *customer.deleted}
    yield from (f"webhook {customer.number} got {job}, of another one" for job in others)
    for job, state in states.items():
        if [kind for _, kind in got.get(job, ())] != [NEWS.get(state)]:
            yield f"webhook {customer.number}: {job} is {state}, and it got {got.get(job)}"


def _check_chat(customer: Customer, orders: list[Order], said: list[str]) -> Iterator[str]:
    """Each job was told of in the chat of its owner, and no other. Copies have nothing to be known by."""
    for order in orders:
        for name in order.names:
            if not order.goes and not any(name in each for each in said):
                yield f"{name}: nothing was said in the chat"
    names = [name for order in orders for name in order.names]
    yield from _strange(f"chat {customer.number}", names, said)


def _check_sms(customer: Customer, orders: list[Order], said: list[str]) -> Iterator[str]:
    """The same of SMS; of a batch, one as a whole."""
    single = [order for order in orders if order.kind != "batch"]
    for order in single:
        if not order.goes and not any(order.names[0] in each for each in said):
            yield f"{order.names[0]}: no SMS came"
    batches = len(orders) - len(single)
    if sum(BATCH_OVER in each for each in said) < batches:
        yield f"{customer.phone}: not an SMS for each of {batches} batches"
    yield from _strange(customer.phone, [order.names[0] for order in single], said)


def _check_tries(tries: Sequence[Any]) -> Iterator[str]:
    """No notice was tried again once a try had ended well: a copy is of a try of which nobody knew how it ended."""
    yield from (f"{row.name}: {row.sent} tries by {row.channel} have ended well" for row in tries if row.sent > 1)


def _check_came(tries: Sequence[Any], came: dict[str, list[str]]) -> Iterator[str]:
    """And nothing was sent that is not written down as a try."""
    tried: Counter[tuple[str, str]] = Counter()
    for row in tries:
        tried[row.channel, row.name] += row.tries
    for (channel, name), count in tried.items():
        # That of a batch may name its jobs.
        found = [
            each for each in came.get(channel, ()) if name in each and (BATCH_OVER in each) == (name == BATCH_OVER)
        ]
        if len(found) > count:
            yield f"{name}: {len(found)} came by {channel}, of {count} tries"


def _strange(where: str, names: list[str], said: list[str]) -> Iterator[str]:
    for each in said:
        if not any(name in each for name in (*names, BATCH_OVER, "your code is")):
            yield f"{where}: it is of another one: {each[:80]}"


def _is_about_a_job(orders: list[Order], subject: str) -> bool:
    return any(order.names[0] in subject for order in orders if order.kind != "batch")


def _print_copies(storm: Storm) -> None:
    """A copy of these comes when notify dies, or loses the database, between sending and writing that down."""
    orders = storm.orders
    batches = sum(order.kind == "batch" for order in orders)
    names = {
        "chats": [name for order in orders for name in order.names],
        "telephones": [order.names[0] for order in orders if order.kind != "batch"],
    }
    for what, receivers in {"chats": storm.chats, "telephones": [storm.telephones]}.items():
        said = [body.decode() for each in receivers for _, body in list(each.got)]
        about = sum(any(name in each for each in said) for name in names[what]) + batches
        codes = len(storm.customers) if what == "telephones" else 0
        taken = len(said) - sum(each.refused for each in receivers)
        print(f"{taken} messages to {what}, {taken - about - codes} of them copies")
