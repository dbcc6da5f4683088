const words = require("actions:words");

exports.onExecuteCredentialsExchange = async (event, api) => {
  api.accessToken.setCustomClaim("https://orders.example/greeting", words.greet(event.client.name));
};
