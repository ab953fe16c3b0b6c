import { nullTranslator } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import { noticeOf } from '../../testing/notices';
import { statusOf, StubConnections, StubTransfers } from '../../testing/stubs';
import { Action } from '../../protocol/generated';
import { IConnectionStatus, Service } from '../../tokens';
import { Folds } from '../folds';
import { PanelModel } from '../model';
import { HubPanel, HubStatus } from '../widget';

const trans = nullTranslator.load('jupyter_ws_hub');

let connections: StubConnections;
let model: PanelModel;
let panel: HubPanel;
let ran: Action[];
let served: string[];

async function drawn(holds: () => boolean): Promise<void> {
  for (let n = 0; n < 400 && !holds(); n++) {
    await new Promise(resolve => setTimeout(resolve, 5));
  }
  expect(holds()).toBe(true);
}

const find = <T extends Element>(selector: string) => [
  ...panel.node.querySelectorAll<T>(selector)
];

function become(service: Service, more: Partial<IConnectionStatus>): void {
  const status = statusOf(service, null, more);
  connections.worst.set(service, status);
  connections.statusChanged.emit(status);
}

beforeEach(async () => {
  connections = new StubConnections();
  model = new PanelModel(connections, new StubTransfers(), error => {
    throw error;
  });
  ran = [];
  const actions = {
    onChoose: null,
    onUpload: () => undefined,
    onReveal: null,
    onFile: () => undefined,
    onDrop: () => undefined,
    notifications: {
      isAllowed: () => true,
      run: (action: Action) => void ran.push(action)
    }
  };
  served = ['notifications', 'status', 'transfers'];
  const has = (service: string) => served.includes(service);
  panel = new HubPanel(model, trans, actions, new Folds(null), has);
  Widget.attach(panel, document.body);
  await drawn(() => find('h2').length === 4);
});

afterEach(() => {
  panel.dispose();
  model.dispose();
});

describe('The panel', () => {
  it('has headings that fold what is under them', async () => {
    const heads = find<HTMLButtonElement>('h2 button');
    expect(heads.map(one => one.textContent)).toEqual([
      'Connections',
      'Server',
      'Transfers',
      'Notifications'
    ]);
    heads[0]!.click();
    await drawn(() => heads[0]!.getAttribute('aria-expanded') === 'false');
    const body = heads[0]!.getAttribute('aria-controls')!;
    expect(document.getElementById(body)?.hidden).toBe(true);
  });

  it('has no section of a service that the server is without', async () => {
    served = ['files', 'transfers'];
    panel.update();
    await drawn(() => find('h2').length === 2);
    const titles = find('h2 button').map(one => one.textContent);
    expect(titles).toEqual(['Connections', 'Transfers']);
  });

  it('asks the server only while it is seen', () => {
    const followed = () =>
      connections.subscriptions.filter(
        ({ topic, isDisposed }) => topic === 'status' && !isDisposed
      ).length;
    expect(followed()).toBe(1);
    panel.hide();
    expect(followed()).toBe(0);
    panel.show();
    expect(followed()).toBe(1);
    jest.spyOn(document, 'visibilityState', 'get').mockReturnValue('hidden');
    document.dispatchEvent(new Event('visibilitychange'));
    expect(followed()).toBe(0);
    jest.restoreAllMocks();
    document.dispatchEvent(new Event('visibilitychange'));
    expect(followed()).toBe(1);
    Widget.detach(panel);
    expect(followed()).toBe(0);
  });
});

describe('A connection in the panel', () => {
  it.each<[IConnectionStatus['state'], boolean]>([
    ['idle', false],
    ['connecting', true],
    ['connected', false],
    ['reconnecting', true],
    ['disconnected', true],
    ['failed', false]
  ])('that is %s can be connected now: %s', async (state, can) => {
    become('main', { state });
    await drawn(
      () => find(`[data-service="main"][data-state="${state}"]`).length === 1
    );
    const buttons = find<HTMLButtonElement>('.jp-WsHub-reconnect');
    expect(buttons.length === 1).toBe(can);
    buttons[0]?.click();
    expect(connections.calls).toEqual(
      expect.arrayContaining(can ? ['reconnect main'] : [])
    );
  });

  it('of a terminal is connected by its own name', async () => {
    connections.worst.set(
      'terminal',
      statusOf('terminal', '1', { state: 'reconnecting' })
    );
    const two = statusOf('terminal', '2', { state: 'reconnecting' });
    connections.statusChanged.emit(two);
    await drawn(() => find('.jp-WsHub-reconnect').length === 1);
    find<HTMLButtonElement>('.jp-WsHub-reconnect')[0]!.click();
    expect(connections.calls).toContain('reconnect terminal 2');
  });

  it('says what went wrong', async () => {
    const lastError = 'The connection was lost.';
    become('main', { state: 'reconnecting', attempts: 3, lastError });
    await drawn(() => find('.jp-WsHub-details').length === 1);
    const text = find('.jp-WsHub-details')[0]!.textContent;
    expect(text).toMatch(
      /^reconnecting… · attempt 3 · since .* · The connection/
    );
  });
});

describe('A notification in the panel', () => {
  const tell = (...more: Parameters<typeof noticeOf>) =>
    connections.tellTopic(
      'notifications/me',
      'notification',
      noticeOf(...more),
      1
    );

  it('is counted on the tab and in the status bar while it is unread', async () => {
    const item = new HubStatus(model, trans, () => undefined);
    Widget.attach(item, document.body);
    expect(panel.title.dataset).toEqual({});
    panel.title.dataset = { id: 'x' };
    tell('a');
    expect(panel.title.dataset).toEqual({ id: 'x', unread: '1' });
    expect(panel.title.caption).toBe('Hub: 1 unread');
    await drawn(() => item.node.textContent === 'Hub: not in use1');
    model.notifications.markAllRead();
    expect(panel.title.dataset).toEqual({ id: 'x' });
    await drawn(() => item.node.textContent === 'Hub: not in use');
    item.dispose();
  });

  it('has its level in words, its progress, and buttons that do what they say', async () => {
    const label = 'Open';
    const action: Action = { label, kind: 'path', target: 'a' };
    tell('a', { level: 'warning', progress: 0.349, actions: [action] });
    await drawn(() => find('.jp-WsHub-notice').length === 1);
    const [notice] = find('.jp-WsHub-notice');
    expect(notice!.querySelector('.jp-WsHub-noticeTitle')?.textContent).toBe(
      'Warning, unread: Title a'
    );
    expect(notice!.querySelector('progress')?.value).toBe(0.349);
    expect(notice!.textContent).toContain('34 %');
    const [dismiss, open] = notice!.querySelectorAll('button');
    open!.click();
    expect(ran).toEqual([action]);
    expect(dismiss!.getAttribute('aria-label')).toBe('Dismiss Title a');
    dismiss!.click();
    await drawn(() => find('.jp-WsHub-notice').length === 0);
    expect(find('.jp-WsHub-empty code').length).toBe(1);
  });

  it('is text, whatever stands in it', async () => {
    const title = '<img src=x>';
    tell('a', { title, message: '<script>x</script>' });
    await drawn(() => find('.jp-WsHub-notice').length === 1);
    expect(find('.jp-WsHub-notice img, .jp-WsHub-notice script')).toEqual([]);
  });
});
