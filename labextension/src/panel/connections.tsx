/**
 * The list of connections: one row per service, below it one per terminal and stream.
 */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { IConnectionStatus } from '../tokens';
import { PanelModel, SERVICES } from './model';
import { serviceName, stateName, statusDetails } from './words';

function Row(props: {
  name: string;
  status: IConnectionStatus;
  trans: TranslationBundle;
  child?: boolean;
}): JSX.Element {
  const { name, status, trans, child } = props;
  const details = statusDetails(status, trans);
  return (
    <li
      className={`jp-WsHub-connection${child ? ' jp-mod-child' : ''}`}
      data-service={status.service}
      data-state={status.state}
    >
      <span className="jp-WsHub-dot" aria-hidden="true" />
      <span className="jp-WsHub-name">{name}</span>
      <span className="jp-WsHub-state">{stateName(status.state, trans)}</span>
      {(details !== '' || !child) && (
        <div className="jp-WsHub-details">{details}</div>
      )}
    </li>
  );
}

export function Connections(props: {
  model: PanelModel;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, trans } = props;
  return (
    <ul className="jp-WsHub-connections" aria-label={trans.__('Connections')}>
      {SERVICES.map(service => (
        <React.Fragment key={service}>
          <Row
            name={serviceName(service, trans)}
            status={model.status(service)}
            trans={trans}
          />
          {/* Streams come and go; each has its row among the transfers. */}
          {(service === 'file-stream' ? [] : model.connections(service)).map(
            status => (
              <Row
                key={status.id}
                name={trans.__('Terminal %1', status.id)}
                status={status}
                trans={trans}
                child
              />
            )
          )}
        </React.Fragment>
      ))}
    </ul>
  );
}
