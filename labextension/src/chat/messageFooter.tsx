/**
 * What stands below a message: how it is with it, and what can be done with it.
 */
import * as React from 'react';

import { ChatMessage } from '../protocol/generated';
import { IOpenRoom } from './chatModel';
import { find, IShown } from './outline';
import { IOutgoing, Outbox } from './outbox';
import { IChatServices, useChanges, useServices } from './services';
import { answerText, changeText, deliveryText } from './words';

interface IAction {
  readonly name: string;
  /** Always to be seen, not only when the pointer or the focus is on the message. */
  readonly always?: boolean;
  readonly run: () => void;
}

/** What can be done with a message that could not be sent. One that is tried again holds up what was written later. */
function outgoingActions(
  { id, state, error }: IOutgoing,
  outbox: Outbox,
  { trans }: IChatServices
): IAction[] {
  if (state === 'sending' || error === null) {
    return [];
  }
  const always = true;
  const again = {
    ...{ name: trans.__('Try again'), always },
    run: () => outbox.retry(id)
  };
  return [
    ...(state === 'failed' ? [again] : []),
    { name: trans.__('Discard'), always, run: () => outbox.remove(id) }
  ];
}

function messageActions(
  message: ChatMessage,
  { model, composer }: IOpenRoom,
  { actions, chat, trans }: IChatServices
): IAction[] {
  const { id, answer, deleted } = message;
  // In an archived room nothing new is said; what was said can be stopped and taken back.
  const mayWrite = chat.rooms.get(model.room)?.room.archived !== true;
  const mayChange = chat.mayChange(message);
  if (answer?.state === 'writing') {
    const stop = { name: trans.__('Stop'), run: () => void model.stop(id) };
    return mayChange ? [{ ...stop, always: true }] : [];
  }
  const all: readonly (IAction & { readonly may: boolean })[] = [
    {
      name: trans.__('Ask again'),
      always: true,
      may: mayWrite && answer !== null && answer !== undefined,
      run: () => composer.askAgain(message)
    },
    {
      name: trans.__('Reply'),
      may: mayWrite,
      run: () => composer.reply(message)
    },
    {
      name: trans.__('Edit'),
      may: mayWrite && mayChange && !answer,
      run: () => composer.edit(message)
    },
    {
      name: trans.__('Delete'),
      may: mayChange,
      run: () => actions.removeMessage(model, message)
    }
  ];
  return deleted ? [] : all.filter(({ may }) => may);
}

function stateOf(
  { message, outgoing }: IShown,
  { chat, trans }: IChatServices
): string {
  if (outgoing) {
    return deliveryText(outgoing, chat.connection, trans);
  }
  if (message?.answer && !message.deleted) {
    return answerText(message.answer, trans);
  }
  return message ? changeText(message, trans) : '';
}

export function MessageFooter(props: {
  id: string;
  open: IOpenRoom;
}): JSX.Element | null {
  const services = useServices();
  const { chat } = services;
  const { model } = props.open;
  useChanges(model.changed, chat.changed, chat.rooms.changed);
  const shown = find(model, props.id, chat.me);
  if (!shown) {
    return null;
  }
  const { message, outgoing, id } = shown;
  const failed =
    outgoing?.state === 'failed' || message?.answer?.state === 'failed';
  const actions = message
    ? messageActions(message, props.open, services)
    : outgoing
      ? outgoingActions(outgoing, chat.outbox, services)
      : [];
  return (
    <div className="jp-WsHub-footer" data-id={id}>
      <span
        className={`jp-WsHub-footerState${failed ? ' jp-mod-failed' : ''}`}
        data-state={outgoing?.state ?? message?.answer?.state ?? 'sent'}
      >
        {stateOf(shown, services)}
      </span>
      {actions.map(({ name, always, run }) => (
        <button
          key={name}
          className={`jp-WsHub-action${always ? ' jp-mod-always' : ''}`}
          onClick={run}
        >
          {name}
        </button>
      ))}
    </div>
  );
}
