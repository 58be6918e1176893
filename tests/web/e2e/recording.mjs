/** The microphone button: hands-free, pause, listen, slide away, too short; then listening: speed, seeking, the next one. */
import assert from 'node:assert/strict';
import { envelopeOf, likeness, speak } from './speech.mjs';
import { phone, scenario, until } from './stage.mjs';

const words = 'First floor. <break time="400ms"/> Second floor. <break time="500ms"/> Third floor, mind the gap.';

await scenario(async (stage) => {
  const speech = speak(stage.folder, 'alice', words);
  const { alice, bob } = await stage.friends({ speech, size: phone });
  await alice.goTo('bob');
  const button = (name) => alice.page.getByRole('button', { name });
  const elapsed = () => alice.page.getByRole('timer').textContent();

  // A hold under a second leaves nothing but a hint.
  await alice.hold(450);
  await alice.page.getByText('Too short. Hold while you speak.').waitFor();
  // Sliding left throws it away; for some seconds it can be had back.
  await alice.hold(1300, { slideX: -150 });
  await alice.page.getByText('Recording deleted.').waitFor();
  await button('Undo').click();
  await alice.page.getByRole('region', { name: 'Recording paused' }).waitFor();
  await button('Delete recording').click();
  assert.equal((await alice.bubbles()).length, 0);

  // Sliding up locks it; paused, it can be heard, and goes on.
  await alice.hold(1200, { slideY: -120 });
  const before = await elapsed();
  await button('Pause recording').click();
  await button('Listen to the recording').click();
  await button('Stop listening').click();
  await button('Go on recording').click();
  await until('it goes on', async () => secondsOf(await elapsed()) > secondsOf(before));
  await button('Send voice message').click();

  // A tap records hands-free too.
  await alice.microphone.click();
  await alice.page.getByRole('region', { name: 'Recording', exact: true }).waitFor();
  await until('two seconds are recorded', async () => secondsOf(await elapsed()) >= 2);
  await button('Send voice message').click();
  await alice.voices(2);

  await bob.goTo('alice');
  const [first, second] = await bob.voices(2);
  assert.ok(first.seconds >= 2 && first.seconds <= 4, `${first.seconds} s`);
  await listen(bob, second.seconds);
  // The first one was put together from two parts: nothing of the pause is in it, nothing is missing.
  const [file] = await bob.playedFiles();
  const { envelope, seconds } = await bob.envelope(file.bytes);
  assert.ok(seconds > first.seconds - 0.1 && seconds < first.seconds + 1.2, `${seconds} s, shown as ${first.seconds}`);
  const { correlation } = likeness(envelopeOf(speech).slice(0, 75), envelope.slice(0, 60));
  assert.ok(correlation > 0.7, `its beginning says something else: ${correlation.toFixed(3)}`);
  await until('both are heard', async () => (await alice.bubbles()).every(({ state }) => state === 'heard'));
});

/** Of a clock's "0:02". */
function secondsOf(clock) {
  return Number(clock.split(':').at(-1));
}

/** Speed and position of the first message; then it plays out, and the second one by itself. */
async function listen(bob, secondsOfSecond) {
  const message = (index) => bob.page.getByRole('group', { name: 'Voice message' }).nth(index);
  const slider = message(0).getByRole('slider');
  await message(0).getByRole('button', { name: 'Speed 1×' }).click();
  await message(1).getByRole('button', { name: 'Speed 1.5×' }).click();
  await message(0).getByRole('button', { name: 'Speed 2×' }).click();
  await message(0).getByRole('button', { name: 'Speed 1×' }).waitFor();
  await slider.focus();
  await bob.page.keyboard.press('End');
  const total = Number(await slider.getAttribute('aria-valuemax'));
  await until('the slider is at the end', async () => Number(await slider.getAttribute('aria-valuenow')) === total);
  await bob.page.keyboard.press('Home');
  await until('the slider is at the beginning', async () => (await slider.getAttribute('aria-valuenow')) === '0');
  const box = await slider.boundingBox();
  await bob.page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
  await until('a tap seeks', async () => Math.abs(Number(await slider.getAttribute('aria-valuenow')) - total / 2) <= 1);
  await bob.page.keyboard.press('Home');
  await message(0).getByRole('button', { name: /^Play/u }).click();
  await message(1).getByRole('button', { name: 'Pause' }).waitFor();
  await message(1)
    .getByRole('button', { name: /^Play/u })
    .waitFor({ timeout: (secondsOfSecond + 10) * 1000 });
  assert.equal((await bob.playedFiles()).length, 2);
}
