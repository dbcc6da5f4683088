const { planOf } = require("actions:plans");

// Adds the carrier's plan to its access tokens.
exports.onExecuteCredentialsExchange = async (event, api) => {
  api.accessToken.setCustomClaim("https://##DOMAIN##/plan", planOf(event.organization));
};
