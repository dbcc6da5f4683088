function greet(user, context, callback) { callback(null, user, context); }
