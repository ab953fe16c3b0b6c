/**
 * The left panel and the status bar item, both drawn from the same model.
 */
import { TranslationBundle } from '@jupyterlab/translation';
import { LabIcon, ReactWidget, UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import { Connections } from './connections';
import { PanelModel, SERVICES } from './model';
import { Transfers } from './transfers';
import { serviceName, stateName } from './words';

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

export class HubPanel extends ReactWidget {
  constructor(
    private readonly _model: PanelModel,
    private readonly _trans: TranslationBundle,
    private readonly _onUpload: (files: File[]) => void
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
              <Transfers
                model={model}
                trans={trans}
                onUpload={this._onUpload}
              />
            </Section>
          </>
        )}
      </UseSignal>
    );
  }
}

export class HubStatus extends ReactWidget {
  constructor(
    private readonly _model: PanelModel,
    private readonly _trans: TranslationBundle,
    private readonly _onClick: () => void
  ) {
    super();
    this.addClass('jp-WsHub-statusItem');
  }

  render(): JSX.Element {
    const { _model: model, _trans: trans } = this;
    return (
      <UseSignal signal={model.changed}>
        {() => {
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
              onClick={this._onClick}
            >
              <span className="jp-WsHub-dot" aria-hidden="true" />
              {trans.__('Hub')}: {stateName(model.worst, trans)}
            </button>
          );
        }}
      </UseSignal>
    );
  }
}
