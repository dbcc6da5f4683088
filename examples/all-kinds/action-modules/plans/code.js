// The plan that a carrier pays for.
module.exports.planOf = (organization) => organization?.metadata?.plan ?? "standard";
