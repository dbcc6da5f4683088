function changePassword(email, password, callback) {
  return callback(null);
}
