function create(user, callback) {
  return callback(null);
}
