import { ConnectionLost, JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { PageConfig } from '@jupyterlab/coreutils';
import { nullTranslator } from '@jupyterlab/translation';

import { connectionLost, offerRestart } from '../connectionLost';

const trans = nullTranslator.load('jupyter_ws_hub');
const lost = (handler: unknown) => (handler as () => Promise<void>)();

afterEach(() => {
  PageConfig.setOption('jupyterWsHub', '');
  Notification.manager.dismiss();
});

function activate(hubPrefix?: string) {
  const paths = { urls: { base: '/user/me/', hubPrefix } };
  const app = {} as unknown as JupyterFrontEnd;
  return connectionLost.activate(app, paths as never, null);
}

describe('A lost connection', () => {
  it('is no dialog and no notification where the panel tells of it', async () => {
    PageConfig.setOption('jupyterWsHub', '1');
    const handler = await activate();
    expect(handler).not.toBe(ConnectionLost);
    await lost(handler);
    expect([
      Notification.manager.count,
      document.querySelector('dialog')
    ]).toEqual([0, null]);
  });

  it('is what JupyterLab makes of it without the server half', async () => {
    expect(await activate()).toBe(ConnectionLost);
  });

  it('of a server of a JupyterHub is one notification that offers to start it', async () => {
    const asked: string[] = [];
    const execute = async (id: string) => void asked.push(id);
    const commands = { execute } as unknown as JupyterFrontEnd['commands'];
    const handler = offerRestart({ commands }, trans, '/user/me/');
    await lost(handler);
    await lost(handler);
    const [shown, ...more] = Notification.manager.notifications;
    expect([shown?.message, more.length]).toEqual([
      'Your server at /user/me/ cannot be reached.',
      0
    ]);
    shown?.options.actions?.[0]?.callback(new MouseEvent('click'));
    expect(asked).toEqual(['hub:restart']);
    Notification.manager.dismiss();
    await lost(handler);
    expect(Notification.manager.count).toBe(1);
  });
});
