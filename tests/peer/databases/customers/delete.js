function remove(id, callback) {
  return callback(null);
}
