import { nullTranslator } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import { Widget } from '@lumino/widgets';
import * as React from 'react';

import { StubConnections } from '../../testing/stubs';
import { Server } from '../server';
import { ServerModel } from '../serverModel';
import {
  connectionsText,
  kernelsText,
  machineMemoryText,
  machineText,
  milliseconds,
  servicesText,
  transfersText
} from '../serverWords';

const trans = nullTranslator.load('jupyter_ws_hub');
const PROCESS = {
  id: 'process',
  cpu: 0.254,
  memory: 340e6,
  machine_cpu: 1,
  machine_cores: 2,
  machine_memory: 8e9,
  machine_memory_used: 6.1e9,
  loop_lag_ms: 3.14,
  cores_of: 'machine' as const,
  memory_of: 'machine' as const,
  models: 0,
  models_cpu: 0,
  models_memory: 0,
  gone: false
};
const health = (id: string, state = 'ok', reason: string | null = null) => ({
  ...{ id, state, reason, gone: false }
});

let connections: StubConnections;
let model: ServerModel;

const tell = (kind: string, data: object) =>
  connections.tellTopic('status', kind, data);

beforeEach(() => {
  connections = new StubConnections();
  model = new ServerModel(connections);
});

describe('What the server tells', () => {
  it('is asked for only while somebody looks', () => {
    expect(connections.subscriptions).toEqual([]);
    model.watch(true);
    model.watch(true);
    expect(connections.subscriptions.length).toBe(1);
    model.watch(false);
    expect(connections.subscriptions[0]?.isDisposed).toBe(true);
    model.watch(true);
    model.dispose();
    expect(connections.subscriptions[1]?.isDisposed).toBe(true);
    model.watch(true);
    expect(connections.subscriptions.length).toBe(2);
  });

  it('is kept as it is now, without what is gone', () => {
    model.watch(true);
    tell('service', health('chat'));
    tell('service', health('chat', 'down', 'It failed.'));
    tell('kernel', { id: 'k', state: 'busy', gone: false });
    tell('kernel', { id: 'k', gone: true });
    expect(model.services).toMatchObject([{ state: 'down' }]);
    expect(model.kernels).toEqual([]);
  });

  it('begins with a snapshot, that stands for all before it', () => {
    model.watch(true);
    tell('kernel', { id: 'k', state: 'busy', gone: false });
    const values = [{ kind: 'process', time: 0, data: PROCESS }];
    connections.subscribers.get('status')!.onSnapshot?.(values as never, null);
    expect([model.kernels, model.process]).toEqual([[], PROCESS]);
    expect(model.cpu.values).toEqual([0.254]);
  });

  it('is nothing where it may not be asked', () => {
    model.watch(true);
    connections.subscribers.get('status')!.onError?.(new Error('Not allowed.'));
    expect([model.error, model.isKnown]).toEqual(['Not allowed.', false]);
  });
});

describe('The words of the server', () => {
  it.each([
    [['ok', 'ok'], 'all 2 work'],
    [['ok', 'degraded'], '1 degraded'],
    [['down', 'degraded', 'down'], '2 down, 1 degraded']
  ])('of services that are %p are %p', (states, text) => {
    const services = states.map((state, n) => health(`${n}`, state));
    expect(servicesText(services as never, trans)).toBe(text);
  });

  it('count', () => {
    const kernel = (state: string) => ({ state }) as never;
    expect(kernelsText([], trans)).toBe('0');
    expect(kernelsText([kernel('busy'), kernel('idle')], trans)).toBe(
      '2, 1 busy'
    );
    const totals = { id: '', main: 4, terminals: 2, file_streams: 1 };
    const of = (users: number) =>
      connectionsText({ ...totals, users, gone: false }, trans);
    expect([of(1), of(2)]).toEqual(['7', '7 (2 people)']);
    const transfers = { id: '', running: 2, paused: 1, gone: false };
    expect(transfersText({ ...transfers, bytes_per_s: 12e6 }, trans)).toBe(
      '12 MB/s, 1 paused'
    );
  });

  it.each([
    ['machine', 'machine 50 % of 2 cores', 'machine 6.1 GB of 8 GB'],
    ['container', 'container 50 % of 2 cores', 'container 6.1 GB of 8 GB'],
    [
      'server',
      'with kernels 50 % of 2 cores allowed',
      'with kernels 6.1 GB of 8 GB allowed'
    ]
  ] as const)('say of a limit whose it is: %s', (whose, cores, memory) => {
    const process = { ...PROCESS, cores_of: whose, memory_of: whose };
    expect(machineText(process, trans)).toBe(cores);
    expect(machineMemoryText(process, trans)).toBe(memory);
    const half = { ...process, machine_cores: 0.5, machine_cpu: 0.25 };
    expect(machineText(half, trans)).toContain('50 % of 0.5 cores');
  });

  it.each([
    [0.04, '0 ms'],
    [1.26, '1.3 ms'],
    [9.94, '9.9 ms'],
    [9.96, '10 ms'],
    [123.4, '123 ms']
  ])('of %d ms are %p', (ms, text) => {
    expect(milliseconds(ms, trans)).toBe(text);
  });
});

describe('The view of the server', () => {
  let view: ReactWidget;
  const show = async () => {
    view?.dispose();
    view = ReactWidget.create(<Server model={model} trans={trans} />);
    Widget.attach(view, document.body);
    while (view.node.textContent === '') {
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    return view.node;
  };

  it('says why there is nothing', async () => {
    model.watch(true);
    connections.subscribers.get('status')!.onError?.(new Error('Not allowed.'));
    expect((await show()).textContent).toContain('Not allowed.');
  });

  it('keeps the places of figures that are not known yet', async () => {
    const names = async () =>
      [...(await show()).querySelectorAll('dt')].map(one => one.textContent);
    const before = await names();
    expect(view.node.querySelector('dd')!.textContent).toBe('…');
    model.watch(true);
    const totals = { id: '', main: 4, terminals: 2, file_streams: 1, users: 1 };
    tell('process', PROCESS);
    tell('connections', { ...totals, gone: false });
    expect(await names()).toEqual(before);
    expect(view.node.querySelector('dd')!.textContent).toBe('0');
  });

  it('shows what does not work with its reason, and the rest on demand', async () => {
    model.watch(true);
    tell('service', health('files'));
    tell('service', health('chat', 'down', 'It could not start.'));
    const node = await show();
    const folded = node.querySelector('details')!;
    const down = node.querySelector('[data-health="down"]')!;
    expect(folded.contains(down)).toBe(false);
    expect(down.textContent).toBe('chatdownIt could not start.');
    expect(folded.open).toBe(false);
    expect(folded.querySelectorAll('li').length).toBe(1);
  });

  it('has a line for a model while its process runs', async () => {
    model.watch(true);
    tell('process', PROCESS);
    expect((await show()).textContent).not.toContain('Model');
    const models = { models: 1, models_cpu: 0.956, models_memory: 412e6 };
    tell('process', { ...PROCESS, ...models });
    expect((await show()).textContent).toContain('Model96 %, 412 MB');
  });

  it('has the numbers of its plots in words', async () => {
    model.watch(true);
    tell('process', PROCESS);
    tell('process', { ...PROCESS, cpu: 0.1 });
    const labels = [...(await show()).querySelectorAll('svg')].map(one =>
      one.getAttribute('aria-label')
    );
    expect(labels[1]).toBe('Processor: 10 % – at most 25 %');
    expect(labels[2]).toBe('Memory: 340 MB – at most 340 MB');
    expect(labels.length).toBe(4);
  });
});
