/** Signing in when it does not work: the sentence says why, in words a person understands. */
import { scenario } from './stage.mjs';

await scenario(async (stage) => {
  const carol = await stage.person('carol');
  const { page } = carol;
  const attempt = async (address, password, sentence) => {
    await page.getByLabel('Address').fill(address);
    await page.getByLabel('Password', { exact: true }).fill(password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').getByText(sentence).waitFor();
  };
  const wrong = 'Address or password is wrong. Check both and try again.';
  await attempt('', 'x', 'Enter your address.');
  await attempt('carol', '', 'Enter your password.');
  await attempt('carol@', 'x', 'This is not an address.');
  await attempt('carol', 'guess', wrong);
  // Nobody learns from the answer whether an account exists.
  await attempt('nobody-of-this-name', 'guess', wrong);

  await stage.server('stop');
  await attempt('carol', stage.password, 'The server cannot be reached.');
  await stage.server('start');
  stage.command('user', 'suspend', 'carol@localhost');
  await attempt('carol', stage.password, 'This account is suspended.');
  stage.command('user', 'resume', 'carol@localhost');
  await carol.signIn(stage.password);

  // Suspended while signed in: out at once, and told so.
  stage.command('user', 'suspend', 'carol@localhost');
  await page.getByText('This account is suspended. Ask the people who run your server.').waitFor();
  stage.command('user', 'resume', 'carol@localhost');
  for (let guess = 1; guess <= 12; guess += 1) {
    await page.getByLabel('Address').fill('bob');
    await page.getByLabel('Password', { exact: true }).fill(`guess ${guess}`);
    await page.getByRole('button', { name: 'Sign in' }).click();
    const alert = page.getByRole('alert').getByText(/^(Address or password|Too many attempts)/u);
    await alert.waitFor();
    if ((await alert.textContent()).startsWith('Too many')) return;
    await page.getByLabel('Address').fill('');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').getByText('Enter your address.').waitFor();
  }
  throw new Error('twelve guesses, and still not throttled');
});
