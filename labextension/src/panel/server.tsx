/**
 * The server: its services, what runs on it and what it uses.
 */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { Health } from '../protocol/generated';
import { History } from './history';
import { ServerModel } from './serverModel';
import {
  connectionsText,
  connectionsTitle,
  healthName,
  kernelsText,
  machineMemoryText,
  machineText,
  milliseconds,
  modelsText,
  percent,
  servicesText,
  transfersText
} from './serverWords';
import { Sparkline } from './sparkline';
import { bytes } from './words';

interface IProps {
  model: ServerModel;
  trans: TranslationBundle;
}

/** What stands for a figure that is not known yet. */
const UNKNOWN = '…';
/** The smallest scales of the plots: half a core, 256 MB, 20 ms, 1 MB/s. */
const STEPS = { cpu: 0.5, memory: 256e6, lag: 20, throughput: 1e6 };

function Service(props: {
  health: Health;
  trans: TranslationBundle;
}): JSX.Element {
  const { id, state, reason } = props.health;
  return (
    <li className="jp-WsHub-service" data-id={id} data-health={state}>
      <span className="jp-WsHub-dot" aria-hidden="true" />
      <span className="jp-WsHub-name">{id}</span>
      <span className="jp-WsHub-state">{healthName(state, props.trans)}</span>
      {reason && <div className="jp-WsHub-details">{reason}</div>}
    </li>
  );
}

/** What does not work is always there to see; the rest on demand. */
function Services({ model, trans }: IProps): JSX.Element {
  const { services } = model;
  const troubled = services.filter(({ state }) => state !== 'ok');
  const well = services.filter(({ state }) => state === 'ok');
  const list = (shown: Health[]) => (
    <ul>
      {shown.map(health => (
        <Service key={health.id} health={health} trans={trans} />
      ))}
    </ul>
  );
  return (
    <>
      {troubled.length > 0 && list(troubled)}
      <details className="jp-WsHub-services">
        <summary>
          <span className="jp-WsHub-term">{trans.__('Services')}</span>{' '}
          {model.isKnown ? servicesText(services, trans) : UNKNOWN}
        </summary>
        {list(well)}
      </details>
    </>
  );
}

function Figure(props: {
  name: string;
  /** Null while it is not known: its place is kept. */
  value: string | null;
  title?: string;
  more?: string;
  /** Whether it has a line of its own. */
  wide?: boolean;
  plot?: {
    history: History;
    step: number;
    text: (value: number) => string;
    /** Where what is plotted is not the value. */
    now?: string;
  };
}): JSX.Element {
  const { name, value, title, more, wide, plot } = props;
  const known =
    plot?.history.values.filter((one): one is number => one !== null) ?? [];
  return (
    <div
      className={`jp-WsHub-figure${plot ? ' jp-mod-plotted' : wide ? ' jp-mod-wide' : ''}`}
      title={title}
    >
      <dt>{name}</dt>
      <dd>{value ?? UNKNOWN}</dd>
      {plot && (
        <dd>
          <Sparkline
            history={plot.history}
            step={plot.step}
            label={`${name}: ${plot.now ?? value ?? UNKNOWN} – ${plot.text(Math.max(0, ...known))}`}
          />
        </dd>
      )}
      {more && <dd className="jp-WsHub-more">{more}</dd>}
    </div>
  );
}

function Usage({ model, trans }: IProps): JSX.Element {
  const { process } = model;
  const most = (text: string) => trans.__('at most %1', text);
  return (
    <>
      <Figure
        name={trans.__('Processor')}
        value={process && percent(process.cpu, trans)}
        more={process ? machineText(process, trans) : UNKNOWN}
        title={trans.__(
          'What the server uses of one core, without kernels, terminals and models'
        )}
        plot={{
          history: model.cpu,
          step: STEPS.cpu,
          text: value => most(percent(value, trans))
        }}
      />
      <Figure
        name={trans.__('Memory')}
        value={process && bytes(process.memory)}
        more={process ? machineMemoryText(process, trans) : UNKNOWN}
        title={trans.__(
          'What the server uses, without kernels, terminals and models'
        )}
        plot={{
          history: model.memory,
          step: STEPS.memory,
          text: value => most(bytes(value))
        }}
      />
      <Figure
        name={trans.__('Delay')}
        value={process && milliseconds(process.loop_lag_ms, trans)}
        title={trans.__(
          'The longest that anything had to wait for the server in the last two seconds'
        )}
        plot={{
          history: model.lag,
          step: STEPS.lag,
          text: value => most(milliseconds(value, trans))
        }}
      />
      {process !== null && process.models > 0 && (
        <Figure
          name={trans._n('Model', 'Models', process.models)}
          value={modelsText(process, trans)}
          title={trans.__(
            'What the model uses that runs on the machine of the server: of one core, and of the memory'
          )}
          wide
        />
      )}
    </>
  );
}

export function Server({ model, trans }: IProps): JSX.Element {
  const { error, isKnown, kernels, terminals, connections, transfers } = model;
  if (error !== null) {
    return (
      <p className="jp-WsHub-empty">
        {trans.__('How the server is cannot be shown: %1', error)}
      </p>
    );
  }
  return (
    <>
      <Services model={model} trans={trans} />
      <dl className="jp-WsHub-figures">
        <Figure
          name={trans.__('Kernels')}
          value={isKnown ? kernelsText(kernels, trans) : null}
        />
        <Figure
          name={trans.__('Terminals')}
          value={isKnown ? String(terminals.length) : null}
        />
        <Figure
          name={trans.__('Connections')}
          value={connections && connectionsText(connections, trans)}
          title={connections ? connectionsTitle(connections, trans) : undefined}
          wide
        />
        <Figure
          name={trans.__('Transfers')}
          value={transfers && String(transfers.running)}
          more={transfers ? transfersText(transfers, trans) : UNKNOWN}
          plot={{
            history: model.throughput,
            step: STEPS.throughput,
            now: transfers ? transfersText(transfers, trans) : UNKNOWN,
            text: value =>
              trans.__('at most %1', trans.__('%1/s', bytes(value)))
          }}
        />
        <Usage model={model} trans={trans} />
      </dl>
    </>
  );
}
