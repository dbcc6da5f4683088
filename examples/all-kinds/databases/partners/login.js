// Called when a person of the old user store signs in for the first time.
async function login(email, password, callback) {
  const answer = await fetch("https://users.##DOMAIN##/check", {
    method: "POST",
    body: JSON.stringify({ email, password }),
  });
  if (!answer.ok) return callback(new WrongUsernameOrPasswordError(email));
  const user = await answer.json();
  return callback(null, { user_id: user.id, email });
}
