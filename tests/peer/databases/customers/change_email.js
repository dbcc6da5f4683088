function changeEmail(oldEmail, newEmail, verified, callback) {
  return callback(null);
}
