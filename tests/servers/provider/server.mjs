/**
 * An OpenID provider for tests: npm's oidc-provider, with the sign-in pages it has for development.
 *
 * `node server.mjs settings.json`, which has {port, issuer, keys, clients, device}. Whoever signs in as NAME has the
 * subject NAME. What their mail is, the file people.json beside the settings says, read at each sign-in.
 */

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

import Provider from "oidc-provider";

const file = process.argv[2];
const settings = JSON.parse(readFileSync(file, "utf8"));

function claimsOf(subject) {
  const people = JSON.parse(readFileSync(join(dirname(file), "people.json"), "utf8"));
  return { sub: subject, ...people[subject] };
}

const provider = new Provider(settings.issuer, {
  clients: settings.clients,
  jwks: { keys: settings.keys },
  claims: { openid: ["sub"], email: ["email", "email_verified"] },
  cookies: { keys: ["only for tests"] },
  findAccount: (_context, subject) => ({ accountId: subject, claims: () => claimsOf(subject) }),
  features: { deviceFlow: { enabled: settings.device } },
  pkce: { methods: ["S256"], required: () => true },
  ttl: { AccessToken: 600, AuthorizationCode: 60, IdToken: 600, Interaction: 600, Grant: 600, Session: 600 },
});

provider.listen(settings.port, "127.0.0.1");
