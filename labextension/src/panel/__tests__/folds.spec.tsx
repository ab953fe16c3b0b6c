import { StateDB } from '@jupyterlab/statedb';
import { nullTranslator } from '@jupyterlab/translation';
import { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { Widget } from '@lumino/widgets';

import { StubConnections, StubTransfers } from '../../testing/stubs';
import { Folds } from '../folds';
import { PanelModel } from '../model';
import { HubPanel } from '../widget';

const trans = nullTranslator.load('jupyter_ws_hub');
const ACTIONS = {
  onChoose: null,
  onUpload: () => undefined,
  onReveal: null,
  onFile: () => undefined,
  onDrop: () => undefined,
  notifications: { isAllowed: () => true, run: () => undefined }
};

/** A state that is read when the test says so, as JupyterLab reads its own when all plugins are active. */
class LateState extends StateDB {
  constructor() {
    let read: (change: StateDB.DataTransform) => void = () => undefined;
    super({
      transform: new Promise(resolve => {
        read = resolve;
      })
    });
    this.read = contents => read({ type: 'overwrite', contents });
  }

  readonly read: (contents: ReadonlyPartialJSONObject) => void;
}

let model: PanelModel;
let panel: HubPanel;

const buttons = () => [
  ...panel.node.querySelectorAll<HTMLButtonElement>('h2 button')
];
const expanded = () => buttons().map(one => one.getAttribute('aria-expanded'));

async function drawn(holds: () => boolean): Promise<void> {
  for (let n = 0; n < 400 && !holds(); n++) {
    await new Promise(resolve => setTimeout(resolve, 5));
  }
  expect(holds()).toBe(true);
}

/** A panel as a page that is loaded anew has it. */
function openPanel(folds: Folds): void {
  panel = new HubPanel(model, trans, ACTIONS, folds);
  Widget.attach(panel, document.body);
}

beforeEach(() => {
  model = new PanelModel(new StubConnections(), new StubTransfers(), error => {
    throw error;
  });
});

afterEach(() => {
  panel.dispose();
  model.dispose();
});

describe('Folded sections', () => {
  it('are folded after a reload, too, and opened ones open', async () => {
    const state = new StateDB();
    openPanel(new Folds(state));
    await drawn(() => buttons().length === 4);
    buttons()[0]!.click();
    buttons()[3]!.click();
    await drawn(() => expanded().join() === 'false,true,true,false');
    buttons()[3]!.click();
    await drawn(() => expanded().join() === 'false,true,true,true');
    panel.dispose();
    openPanel(new Folds(state));
    await drawn(() => buttons().length === 4);
    expect(expanded()).toEqual(['false', 'true', 'true', 'true']);
  });

  it('are never seen open before: nothing is drawn until they are known', async () => {
    const state = new LateState();
    openPanel(new Folds(state));
    await panel.renderPromise;
    expect(buttons()).toEqual([]);
    state.read({ 'jupyter-ws-hub:panel': { folded: ['server'] } });
    await drawn(() => buttons().length > 0);
    expect(expanded()).toEqual(['true', 'false', 'true', 'true']);
  });

  it.each([undefined, null, 1, {}, { folded: 'server' }])(
    'are none where the state says nonsense: %j',
    async value => {
      const state = new LateState();
      const folds = new Folds(state);
      state.read(value === undefined ? {} : { 'jupyter-ws-hub:panel': value });
      await folds.ready;
      expect(folds.isFolded('server')).toBe(false);
    }
  );

  it('are none where the state cannot be read, and the panel is there', async () => {
    const warn = jest.spyOn(console, 'warn').mockReturnValue();
    const state = new StateDB();
    jest.spyOn(state, 'fetch').mockRejectedValue(new Error('broken'));
    openPanel(new Folds(state));
    await drawn(() => buttons().length === 4);
    expect(warn).toHaveBeenCalledTimes(1);
    warn.mockRestore();
  });
});
