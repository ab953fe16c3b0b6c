/**
 * The left panel and the status bar item, both drawn from the same model.
 */
import { TranslationBundle } from '@jupyterlab/translation';
import { Message } from '@lumino/messaging';
import { LabIcon, ReactWidget, UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import { hasFiles } from '../files/drop';
import { Connections } from './connections';
import { PanelModel, SERVICES } from './model';
import { ITransferActions, Transfers } from './transfers';
import { serviceName, stateName, transferSummary } from './words';

/** The extension's icon: a hub with three spokes. */
export const hubIcon = new LabIcon({
  name: 'jupyter-ws-hub:hub',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <g class="jp-icon3" fill="#616161">
    <circle cx="12" cy="12" r="4"/><circle cx="12" cy="3" r="2.5"/>
    <circle cx="4" cy="18" r="2.5"/><circle cx="20" cy="18" r="2.5"/>
    <path d="M11 4h2v7h-2zM4.8 17.6l-.9-1.7 6.5-3.8.9 1.7zM19.2 17.6l.9-1.7-6.5-3.8-.9 1.7z"/>
  </g></svg>`
});

function Section(props: {
  title: string;
  children: React.ReactNode;
}): JSX.Element {
  return (
    <section className="jp-WsHub-section">
      <h2>{props.title}</h2>
      {props.children}
    </section>
  );
}

/** What the panel asks of the page. */
export interface IPanelActions extends ITransferActions {
  /** Upload what was dropped on the panel. */
  onDrop: (data: DataTransfer) => void;
}

const DRAGS = ['dragenter', 'dragover', 'dragleave', 'drop'] as const;
const DROP_CLASS = 'jp-mod-native-drop';

export class HubPanel extends ReactWidget {
  constructor(
    private readonly _model: PanelModel,
    private readonly _trans: TranslationBundle,
    private readonly _actions: IPanelActions
  ) {
    super();
    this.id = 'jupyter-ws-hub-panel';
    this.addClass('jp-WsHub-panel');
    this.title.icon = hubIcon;
    this.title.caption = _trans.__('Connections and transfers');
  }

  render(): JSX.Element {
    const { _model: model, _trans: trans } = this;
    return (
      <UseSignal signal={model.changed}>
        {() => (
          <>
            <Section title={trans.__('Connections')}>
              <Connections model={model} trans={trans} />
            </Section>
            <Section title={trans.__('Transfers')}>
              <Transfers model={model} trans={trans} actions={this._actions} />
            </Section>
          </>
        )}
      </UseSignal>
    );
  }

  handleEvent(event: DragEvent): void {
    const { dataTransfer, type } = event;
    if (!dataTransfer || !hasFiles(event)) {
      return;
    }
    event.preventDefault();
    this.toggleClass(DROP_CLASS, type === 'dragenter' || type === 'dragover');
    if (type === 'drop') {
      this._actions.onDrop(dataTransfer);
    } else {
      dataTransfer.dropEffect = 'copy';
    }
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    DRAGS.forEach(type => this.node.addEventListener(type, this));
  }

  protected onBeforeDetach(message: Message): void {
    DRAGS.forEach(type => this.node.removeEventListener(type, this));
    super.onBeforeDetach(message);
  }
}

/** A button in the status bar that shows something of the model. */
abstract class StatusItem extends ReactWidget {
  constructor(
    protected readonly model: PanelModel,
    protected readonly trans: TranslationBundle,
    protected readonly onClick: () => void
  ) {
    super();
    this.addClass('jp-WsHub-statusItem');
  }

  /** The button, as the model is now. */
  protected abstract button(): JSX.Element;

  render(): JSX.Element {
    return (
      <UseSignal signal={this.model.changed}>{() => this.button()}</UseSignal>
    );
  }
}

/** The transfers in the status bar, while there are any under way. */
export class TransferStatus extends StatusItem {
  /** What it shows; null where there is nothing to show. */
  get text(): string | null {
    return transferSummary(this.model.transfers, this.trans);
  }

  protected button(): JSX.Element {
    return (
      <button
        className="jp-WsHub-transferStatus"
        title={this.trans.__('Show the transfers')}
        onClick={this.onClick}
      >
        {this.text}
      </button>
    );
  }
}

export class HubStatus extends StatusItem {
  protected button(): JSX.Element {
    const { model, trans } = this;
    const title = SERVICES.map(
      service =>
        `${serviceName(service, trans)}: ${stateName(model.status(service).state, trans)}`
    ).join('\n');
    return (
      <button
        className="jp-WsHub-statusButton"
        data-state={model.worst}
        title={title}
        aria-label={title}
        onClick={this.onClick}
      >
        <span className="jp-WsHub-dot" aria-hidden="true" />
        {trans.__('Hub')}: {stateName(model.worst, trans)}
      </button>
    );
  }
}
