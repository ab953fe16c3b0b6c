/**
 * The list of connections: one row per service, below it one per terminal.
 */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { ConnectionState, IConnectionStatus } from '../tokens';
import { PanelModel, SERVICES } from './model';
import { Plots } from './plots';
import { milliseconds } from './serverWords';
import { Sparkline } from './sparkline';
import { bytes, serviceName, stateName, statusDetails } from './words';

interface IProps {
  model: PanelModel;
  trans: TranslationBundle;
}

/** The states in which it helps to connect at once: not where the server has refused for good. */
const HURRIED: ReadonlySet<ConnectionState> = new Set([
  'connecting',
  'reconnecting',
  'disconnected'
] as const);

/** The smallest scales of the plots: 20 ms, 1 MB/s. */
const STEPS = { roundTrip: 20, throughput: 1e6 };

/** What is plotted of a service: how long messages take, how fast files go. */
function Plot(
  props: IProps & { plots: Plots; status: IConnectionStatus }
): JSX.Element | null {
  const { plots, status, trans } = props;
  if (status.state !== 'connected' || status.service === 'terminal') {
    return null;
  }
  const [history, step, text] =
    status.service === 'main'
      ? [
          plots.roundTrip,
          STEPS.roundTrip,
          (value: number) => milliseconds(value, trans)
        ]
      : [
          plots.throughput,
          STEPS.throughput,
          (value: number) => trans.__('%1/s', bytes(value))
        ];
  const known = history.values.filter((one): one is number => one !== null);
  const numbers = trans.__(
    'now %1, at most %2',
    text(history.last ?? 0),
    text(Math.max(0, ...known))
  );
  return (
    <Sparkline
      history={history}
      step={step}
      label={
        status.service === 'main'
          ? trans.__('Round trip: %1', numbers)
          : trans.__('Throughput: %1', numbers)
      }
    />
  );
}

function Row(
  props: IProps & {
    name: string;
    status: IConnectionStatus;
    child?: boolean;
    /** Whether each of its connections has a row of its own. */
    isHeading?: boolean;
    children?: React.ReactNode;
  }
): JSX.Element {
  const { name, status, model, trans, child, isHeading, children } = props;
  const { service, id, state } = status;
  const hasButton = HURRIED.has(state) && !isHeading;
  const stateText = stateName(state, trans);
  const details = [
    hasButton ? stateText : '',
    isHeading ? '' : statusDetails(status, trans)
  ]
    .filter(part => part !== '')
    .join(' · ');
  return (
    <li
      className={`jp-WsHub-connection${child ? ' jp-mod-child' : ''}`}
      data-service={service}
      data-state={state}
    >
      <span className="jp-WsHub-dot" aria-hidden="true" />
      <span className="jp-WsHub-name">{name}</span>
      {hasButton ? (
        <button
          className="jp-Button jp-mod-styled jp-WsHub-reconnect"
          aria-label={trans.__('Reconnect now: %1', name)}
          onClick={() => model.reconnect(service, child ? id : null)}
        >
          {trans.__('Reconnect now')}
        </button>
      ) : (
        <span className="jp-WsHub-state">{stateText}</span>
      )}
      {details !== '' && (
        <div className="jp-WsHub-details" title={details}>
          {details}
        </div>
      )}
      {children}
    </li>
  );
}

export function Connections(props: IProps & { plots: Plots }): JSX.Element {
  const { model, trans, plots } = props;
  return (
    <>
      <p className="jp-WsHub-srOnly" role="status">
        {`${serviceName('main', trans)}: ${stateName(model.status('main').state, trans)}`}
      </p>
      <ul className="jp-WsHub-connections" aria-label={trans.__('Connections')}>
        {SERVICES.map(service => (
          <React.Fragment key={service}>
            <Row
              name={serviceName(service, trans)}
              status={model.status(service)}
              isHeading={service === 'terminal'}
              {...props}
            >
              <Plot {...props} plots={plots} status={model.status(service)} />
            </Row>
            {/* Streams come and go; each has its row among the transfers. */}
            {(service === 'file-stream' ? [] : model.connections(service)).map(
              status => (
                <Row
                  key={status.id}
                  name={trans.__('Terminal %1', status.id)}
                  status={status}
                  {...props}
                  child
                />
              )
            )}
          </React.Fragment>
        ))}
      </ul>
    </>
  );
}
