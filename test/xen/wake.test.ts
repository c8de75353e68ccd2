import { expect, test } from 'vitest';
import { PreconditionError } from '../../src/control/errors.ts';
import {
  byVerb,
  domainRef,
  failureOf,
  inspectText,
  never,
  nodeLine,
  startHost,
  uuidOf,
} from './scripted-host.ts';
import { answer } from './ssh-server.ts';

const web3 = 'news-web-3';
const tenant = `name=${web3} uuid=${uuidOf(web3)} born=1795501400000 shard=main term=1795500000.3`;
const fence = 'fence shard=main term=1795500000.3';

const paused = inspectText([nodeLine(web3)], [{ name: web3, flags: '--p---' }]);
const saved = inspectText([nodeLine(web3), `saved ${web3} 512`]);
const running = inspectText([nodeLine(web3)], [{ name: web3 }]);

test('Waking lets a paused node run', async () => {
  const { server, hypervisor } = await startHost(byVerb({ inspect: paused, unpause: '' }));
  await hypervisor.inspect(never);

  await hypervisor.wake(domainRef(web3), never);

  expect(server.commands).toEqual(['inspect', `unpause ${tenant}`]);
});

test('Waking restores a saved one, for the leader alone', async () => {
  const { server, hypervisor } = await startHost(
    byVerb({ inspect: saved, fence: '', restore: '' }),
  );

  await hypervisor.wake(domainRef(web3), never);

  expect(server.commands).toEqual(['inspect', fence, `restore ${tenant}`]);
});

test('Waking looks again after an order has changed how it sleeps', async () => {
  let text = paused;
  const { server, hypervisor } = await startHost(
    byVerb({
      inspect: (_command, channel) => answer(channel, { stdout: text }),
      fence: '',
      restore: '',
      save: '',
    }),
  );
  await hypervisor.inspect(never);
  await hypervisor.save(domainRef(web3), never);
  text = saved;

  await hypervisor.wake(domainRef(web3), never);

  expect(server.commands.at(-1)).toBe(`restore ${tenant}`);
});

test('Waking leaves a node alone that is awake', async () => {
  const { server, hypervisor } = await startHost(byVerb({ inspect: running }));

  await hypervisor.wake(domainRef(web3), never);

  expect(server.commands).toEqual(['inspect']);
});

test.each([
  ['not there', inspectText([])],
  ['another tenant', paused.replaceAll('1795501400000', '1795501400001')],
  ['a residue', inspectText([nodeLine(web3)])],
  ['stopping', inspectText([nodeLine(web3)], [{ name: web3, flags: '--ps--' }])],
])('Waking what is %s wakes nothing', async (_situation, inspect) => {
  const { server, hypervisor } = await startHost(byVerb({ inspect }));

  const failure = await failureOf(hypervisor.wake(domainRef(web3), never));

  expect(failure).toBeInstanceOf(PreconditionError);
  expect(server.commands).toEqual(['inspect']);
});
