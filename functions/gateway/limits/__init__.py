"""How much an address, an account or an API key may ask for in a while; counted before a function starts."""
