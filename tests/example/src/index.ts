/**
 * The browser half: a command that asks the service, reads a streamed reply and follows a topic, and shows it all.
 */
import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette, MainAreaWidget } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';
import { HubError, IConnectionManager } from 'jupyter-ws-hub';

const COMMAND = 'ws-hub-example:open';

/** Shows what comes from the service, a line for each thing. */
class ExampleView extends Widget {
  constructor(manager: IConnectionManager) {
    super();
    this.addClass('jp-WsHubExample');
    // Over reconnects it misses nothing and sees nothing twice.
    const subscription = manager.subscribe(
      'example/ticks',
      {
        onEvent: event => this._show(event.kind, event.data.note),
        onError: error => this._show('error', error.message)
      },
      'earliest'
    );
    this.disposed.connect(() => subscription.dispose());
    const aborter = new AbortController();
    this.disposed.connect(() => aborter.abort());
    this._run(manager, aborter.signal).catch(error => {
      // A method fails with a code of the code table; where it is `retryable` it can be asked again.
      const code = error instanceof HubError ? error.code : 'bug';
      this._show('error', `${code}: ${error.message}`);
    });
  }

  private async _run(
    manager: IConnectionManager,
    signal: AbortSignal
  ): Promise<void> {
    const { text } = await manager.request(
      'example.greet',
      { name: 'world' },
      { signal, idempotent: true }
    );
    this._show('greeting', text);
    const items = manager.stream('example.count', { to: 5 }, { signal });
    for await (const { number } of items) {
      this._show('number', String(number));
    }
    await manager.request('example.tick', { note: 'counted' }, { signal });
  }

  private _show(what: string, text: string): void {
    const line = document.createElement('div');
    line.dataset.what = what;
    line.textContent = text;
    this.node.appendChild(line);
  }
}

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'ws-hub-example:plugin',
  description: 'Shows what the service `example` does.',
  autoStart: true,
  requires: [IConnectionManager],
  optional: [ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    manager: IConnectionManager,
    palette: ICommandPalette | null
  ) => {
    app.commands.addCommand(COMMAND, {
      label: 'Open the Hub Example',
      execute: () => {
        const content = new ExampleView(manager);
        const widget = new MainAreaWidget({ content });
        widget.title.label = 'Hub Example';
        app.shell.add(widget, 'main');
      }
    });
    palette?.addItem({ command: COMMAND, category: 'Hub Example' });
  }
};

export default plugin;
