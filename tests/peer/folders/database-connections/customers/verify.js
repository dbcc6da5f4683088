function verify(email, callback) {
  return callback(null);
}
