exports.onExecuteCustomTokenExchange = async (event, api) => {
  api.access.deny("invalid_request", "legacy tokens are not exchanged yet");
};
