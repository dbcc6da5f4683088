// Prepares the tenant of AUTH0_DOMAIN for tenant.yaml: an application that it names by its id, which it prints, and a
// verified custom domain, which alone can be the default one.
const base = `https://${process.env.AUTH0_DOMAIN}`;

async function call(path, body, token) {
  const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
  const answer = await fetch(base + path, { method: "POST", headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

const { AUTH0_CLIENT_ID: client_id, AUTH0_CLIENT_SECRET: client_secret } = process.env;
const credentials = { grant_type: "client_credentials", client_id, client_secret, audience: `${base}/api/v2/` };
const { access_token: token } = await call("/oauth/token", credentials);
const post = (path, body) => call(`/api/v2${path}`, body, token);
const domain = await post("/custom-domains", { domain: "auth.example.com", type: "auth0_managed_certs" });
await post(`/custom-domains/${domain.custom_domain_id}/verify`, {});
console.log((await post("/clients", { name: "By id", app_type: "non_interactive" })).client_id);
