/**
 * What stands below the input: attaching, who is to answer, and stopping who does.
 */
import { stopIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { Asked } from '../protocol/generated';
import { IOpenRoom } from './chatModel';
import { attachIcon } from './icons';
import { isByKeyboard, openMenu } from './menu';
import { IChatServices, useChanges, useServices } from './services';
import { assistantDetails, attachableName } from './words';

export function Tools(props: { open: IOpenRoom }): JSX.Element {
  const services = useServices();
  const { chat, trans } = services;
  const { model } = props.open;
  useChanges(model.changed, chat.assistants.changed, chat.rooms.changed);
  const stoppable = model.writing.filter(answer => chat.mayChange(answer));
  const newest = stoppable[stoppable.length - 1];
  return (
    <div className="jp-WsHub-tools">
      <button
        className="jp-WsHub-tool"
        title={trans.__('Attach')}
        aria-label={trans.__('Attach')}
        aria-haspopup="menu"
        onClick={event => attachMenu(event, props.open, services)}
      >
        <attachIcon.react tag="span" width="16px" />
      </button>
      <Chooser room={model.room} />
      {newest && (
        <button
          className="jp-WsHub-tool jp-mod-stop"
          title={trans.__('Stop the answer')}
          aria-label={trans.__('Stop the answer')}
          onClick={() => void model.stop(newest.id)}
        >
          <stopIcon.react tag="span" width="16px" />
        </button>
      )}
    </div>
  );
}

/** A menu of what there is to attach now. */
function attachMenu(
  event: React.MouseEvent<HTMLElement>,
  { composer }: IOpenRoom,
  { sources, trans, onError }: IChatServices
): void {
  const items = sources.available().map(kind => ({
    label: attachableName(kind, trans),
    run: () =>
      void sources
        .take(kind)
        .then(taken => taken.forEach(each => composer.attach(each)), onError)
  }));
  openMenu(event.currentTarget, items, isByKeyboard(event));
}

const NOBODY = '';
const keyOf = (ask: Asked | null) =>
  ask ? `${ask.assistant}\n${ask.model ?? ''}` : NOBODY;

/** Who is to answer, with which model. */
function Chooser(props: { room: string }): JSX.Element | null {
  const { chat, trans } = useServices();
  const { assistants } = chat;
  if (assistants.all.length === 0) {
    return null;
  }
  const chosen = assistants.chosen(props.room);
  const choose = (key: string) => {
    const [assistant = '', model = ''] = key.split('\n');
    assistants.choose(props.room, key === NOBODY ? null : { assistant, model });
  };
  return (
    <select
      className="jp-WsHub-chooser"
      aria-label={trans.__('Who answers')}
      title={trans.__('Who answers what you write')}
      value={keyOf(chosen)}
      onChange={event => choose(event.target.value)}
    >
      <option value={NOBODY}>{trans.__('Ask nobody')}</option>
      {assistants.all.map(info => (
        <optgroup
          key={info.name}
          label={`${info.display_name} (${assistantDetails(info, trans)})`}
        >
          <option
            value={keyOf({ assistant: info.name })}
            disabled={info.state === 'down'}
          >
            {trans.__('Ask %1', info.display_name)}
          </option>
          {info.models.length > 1 &&
            info.models.map(model => (
              <option
                key={model}
                value={keyOf({ assistant: info.name, model })}
                disabled={info.state === 'down'}
              >
                {`${info.display_name}: ${model}`}
              </option>
            ))}
        </optgroup>
      ))}
    </select>
  );
}
