/**
 * The items of the status bar, drawn from the panel's model.
 */
import { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget, UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import { PanelModel, SERVICES } from './model';
import { unreadText } from './notificationWords';
import { serviceName, stateName, transferSummary } from './words';

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

/** The worst state of all connections, and how many notifications are unread. */
export class HubStatus extends StatusItem {
  render(): JSX.Element {
    return (
      <UseSignal signal={this.model.notifications.changed}>
        {() => super.render()}
      </UseSignal>
    );
  }

  protected button(): JSX.Element {
    const { model, trans } = this;
    const { unread } = model.notifications;
    const text = trans.__('Hub: %1', stateName(model.worst, trans));
    const title = [
      ...SERVICES.map(
        service =>
          `${serviceName(service, trans)}: ${stateName(model.status(service).state, trans)}`
      ),
      ...(unread > 0
        ? [trans.__('Notifications: %1', unreadText(unread, trans))]
        : [])
    ].join('\n');
    return (
      <button
        className="jp-WsHub-statusButton"
        data-state={model.worst}
        title={title}
        aria-label={`${text}\n${title}`}
        onClick={this.onClick}
      >
        <span className="jp-WsHub-dot" aria-hidden="true" />
        {text}
        {unread > 0 && (
          <span className="jp-WsHub-badge" aria-hidden="true">
            {unread}
          </span>
        )}
      </button>
    );
  }
}
