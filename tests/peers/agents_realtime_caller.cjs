// A user of OpenAI's agents SDK for JavaScript:
//     node agents_realtime_caller.cjs PACKAGES URL SPEECH_FOLDER
// PACKAGES is the folder of its installation. Prints a report as one JSON object.

const { createRequire } = require('node:module');
const { readFileSync } = require('node:fs');
const { join } = require('node:path');

const [packages, url, speech] = process.argv.slice(2);
const installed = createRequire(join(packages, 'package.json'));
const { RealtimeAgent, RealtimeSession, tool } = installed('@openai/agents-realtime');
const { z } = installed('zod');

const CHUNK_BYTES = 4800; // 100 ms
const WITHIN_MS = 120000;
const report = { events: [], unread: [], tools: [], errors: [], interruptions: 0 };
let changed = () => {};

const setTimer = tool({
  name: 'set_timer',
  description: 'Set a timer.',
  parameters: z.object({ seconds: z.number().int() }),
  execute: async ({ seconds }) => {
    report.tools.push({ name: 'set_timer', arguments: { seconds } });
    return `The timer is set for ${seconds} seconds.`;
  },
});
const agent = new RealtimeAgent({
  name: 'guest',
  instructions: 'Be brief.',
  tools: [setTimer],
});
const session = new RealtimeSession(agent, {
  transport: 'websocket',
  model: 'gpt-realtime-2.1',
  tracingDisabled: true,
});
// The SDK emits every event raw, then again by its type if it fits the SDK's own schema.
const types = new Set();
session.transport.on('*', (event) => {
  report.events.push(event);
  report.unread.push(event.type);
  if (!types.has(event.type)) session.transport.on(event.type, () => report.unread.pop());
  types.add(event.type);
  changed();
});
session.on('audio_interrupted', () => (report.interruptions += 1));
session.on('error', (error) => {
  report.errors.push(String(error.error?.message ?? JSON.stringify(error)));
  changed();
});

const count = (type) => report.events.filter((e) => e.type === type).length;

/** Returns the ms of audio received for the response with this number (0: the first). */
function receivedMs(response) {
  const created = report.events.filter((e) => e.type === 'response.created');
  const id = created[response]?.response.id;
  return report.events
    .filter((e) => e.type === 'response.output_audio.delta' && e.response_id === id)
    .reduce((ms, e) => ms + Buffer.from(e.delta, 'base64').length / 48, 0);
}

async function until(happened) {
  const end = Date.now() + WITHIN_MS;
  while (!happened()) {
    const left = end - Date.now();
    if (left <= 0) throw new Error(`did not happen: ${happened}`);
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, left);
      changed = () => (clearTimeout(timer), resolve());
    });
  }
}

function say(name) {
  const pcm = readFileSync(join(speech, `${name}.pcm`));
  for (let start = 0; start < pcm.length; start += CHUNK_BYTES) {
    session.sendAudio(new Uint8Array(pcm.subarray(start, start + CHUNK_BYTES)).buffer);
  }
}

async function main() {
  await session.connect({ apiKey: 'none', url });
  await until(() => count('session.updated') > 0);
  say('question');
  await until(() => count('response.done') === 1);
  say('story');
  await until(() => receivedMs(1) > 9000);
  say('go_on');
  await until(() => receivedMs(2) > 9000);
  say('timer');
  await until(() => count('response.done') === 5);
  const closed = new Promise((resolve) => session.transport.once('disconnected', resolve));
  session.close();
  await closed;
  report.closed = 'cleanly';
}

main().then(
  () => console.log(JSON.stringify(report)),
  (error) => {
    console.error(error, report.errors, report.events.map((e) => e.type).join(' '));
    process.exit(1);
  },
);
