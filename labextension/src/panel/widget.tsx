/**
 * The left panel: connections, server, transfers and notifications.
 */
import { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget, UseSignal } from '@jupyterlab/ui-components';
import { Message } from '@lumino/messaging';
import { ISignal } from '@lumino/signaling';
import * as React from 'react';

import { hasFiles } from '../files/drop';
import { PANEL_ID } from '../server';
import { Connections } from './connections';
import { Folds } from './folds';
import { hubIcon } from './hubIcon';
import { PanelModel } from './model';
import { INotificationActions } from './notificationActions';
import { Notifications } from './notifications';
import { unreadText } from './notificationWords';
import { Section } from './section';
import { Server } from './server';
import { ITransferActions, Transfers } from './transfers';

export { HubStatus, TransferStatus } from './statusBar';

/** What the panel asks of the page. */
export interface IPanelActions extends ITransferActions {
  /** Upload what was dropped on the panel. */
  onDrop: (data: DataTransfer) => void;
  /** What the buttons of notifications do. */
  notifications: INotificationActions;
}

/** Of unread notifications, on the tab. */
const MOST_SHOWN = 99;
const DRAGS = ['dragenter', 'dragover', 'dragleave', 'drop'] as const;
const DROP_CLASS = 'jp-mod-native-drop';

export class HubPanel extends ReactWidget {
  /** `_has` tells which services the server has: others have no section. */
  constructor(
    private readonly _model: PanelModel,
    private readonly _trans: TranslationBundle,
    private readonly _actions: IPanelActions,
    private readonly _folds: Folds,
    private readonly _has: (service: string) => boolean = () => true
  ) {
    super();
    this.id = PANEL_ID;
    this.addClass('jp-WsHub-panel');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', _trans.__('Hub'));
    this.title.icon = hubIcon;
    this._showUnread();
    _model.notifications.changed.connect(this._showUnread, this);
    void _folds.ready.then(() => this.update());
  }

  dispose(): void {
    this._model.notifications.changed.disconnect(this._showUnread, this);
    super.dispose();
  }

  render(): JSX.Element {
    const { _model: model, _trans: trans, _folds: folds } = this;
    if (!folds.isKnown) {
      // What is drawn open and then folds would jump.
      return <></>;
    }
    return (
      <>
        <Section id="connections" title={trans.__('Connections')} folds={folds}>
          <Watch signals={[model.changed, model.plots.changed]}>
            {() => (
              <Connections model={model} plots={model.plots} trans={trans} />
            )}
          </Watch>
        </Section>
        {this._has('status') && (
          <Section id="server" title={trans.__('Server')} folds={folds}>
            <Watch signals={[model.server.changed]}>
              {() => <Server model={model.server} trans={trans} />}
            </Watch>
          </Section>
        )}
        {this._has('transfers') && (
          <Section id="transfers" title={trans.__('Transfers')} folds={folds}>
            <Watch signals={[model.changed]}>
              {() => (
                <Transfers
                  model={model}
                  trans={trans}
                  actions={this._actions}
                />
              )}
            </Watch>
          </Section>
        )}
        {this._has('notifications') && (
          <Section
            id="notifications"
            title={trans.__('Notifications')}
            folds={folds}
          >
            <Watch signals={[model.notifications.changed]}>
              {() => (
                <Notifications
                  list={model.notifications}
                  trans={trans}
                  actions={this._actions.notifications}
                />
              )}
            </Watch>
          </Section>
        )}
      </>
    );
  }

  handleEvent(event: DragEvent): void {
    const { dataTransfer, type } = event;
    if (!dataTransfer || !hasFiles(event) || !this._has('transfers')) {
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
    document.addEventListener('visibilitychange', this._watch);
    this._watch();
  }

  protected onBeforeDetach(message: Message): void {
    DRAGS.forEach(type => this.node.removeEventListener(type, this));
    document.removeEventListener('visibilitychange', this._watch);
    this._model.watch(false);
    super.onBeforeDetach(message);
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._watch();
  }

  protected onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this._watch();
  }

  /** Measure and ask only while somebody can look. */
  private readonly _watch = (): void => {
    const isSeen = document.visibilityState !== 'hidden';
    this._model.watch(this.isVisible && isSeen);
  };

  /** The number of unread notifications on the panel's tab. */
  private _showUnread(): void {
    const { title, _trans: trans } = this;
    const { unread } = this._model.notifications;
    const text = unreadText(unread, trans);
    const dataset: Record<string, string> = { ...title.dataset };
    delete dataset['unread'];
    if (unread > 0) {
      dataset['unread'] = unread > MOST_SHOWN ? `${MOST_SHOWN}+` : `${unread}`;
    }
    title.dataset = dataset;
    title.caption = text ? trans.__('Hub: %1', text) : trans.__('Hub');
  }
}

/** Draws its child anew whenever one of the signals is emitted. */
function Watch(props: {
  signals: ReadonlyArray<ISignal<unknown, void>>;
  children: () => JSX.Element;
}): JSX.Element {
  const [first, ...others] = props.signals;
  return first ? (
    <UseSignal signal={first}>
      {() => <Watch signals={others}>{props.children}</Watch>}
    </UseSignal>
  ) : (
    props.children()
  );
}
