/**
 * One room: its messages and the input, or why it cannot be shown.
 */
import * as React from 'react';

import { IMention, IRoomChat, RoomChat } from './adapter';
import { IOpenRoom } from './chatModel';
import { LiveRegion } from './liveRegion';
import { MessageFooter } from './messageFooter';
import { MessageHead } from './messageHead';
import { nameOf } from './presence';
import { RoomScroll } from './roomScroll';
import { IChatServices, useChanges, useServices } from './services';
import { Strip } from './strip';
import { Tools } from './tools';
import { firstLine, titleOf } from './words';

/** The room that is open. */
export function RoomView({ open }: { open: IOpenRoom }): JSX.Element {
  const services = useServices();
  const { chat, trans } = services;
  const { model } = open;
  useChanges(model.changed, chat.rooms.changed);
  const [atEnd, setAtEnd] = React.useState(true);
  const holder = React.useRef<HTMLDivElement>(null);
  const hasFailed = model.error !== null && !model.isReady;
  const scroll = useScroll(holder, open, services, setAtEnd, hasFailed);
  const parts = React.useMemo(() => partsOf(open, services), [model]);
  const strip = (
    <>
      {(!atEnd || model.isPast) && (
        <div className="jp-WsHub-toEndPlace">
          <button
            className="jp-WsHub-toEnd"
            onClick={() => scroll.current?.toNewest()}
          >
            {trans.__('To the newest message')}
          </button>
        </div>
      )}
      <Strip open={open} />
    </>
  );
  const archived = chat.rooms.get(model.room)?.room.archived ?? false;
  if (hasFailed) {
    return <p className="jp-WsHub-chatNotice">{model.error}</p>;
  }
  return (
    <div
      className={`jp-WsHub-room${archived ? ' jp-mod-archived' : ''}`}
      data-room={model.room}
      data-ready={model.isReady}
      ref={holder}
    >
      {!model.isReady && (
        <p className="jp-WsHub-chatNotice">{trans.__('Loading…')}</p>
      )}
      {model.isReady && model.messages.length + model.outgoing.length === 0 && (
        <p className="jp-WsHub-chatNotice">
          {trans.__('Nothing was said here yet.')}
        </p>
      )}
      <RoomChat chat={{ ...parts, strip }} />
      <LiveRegion open={open} />
    </div>
  );
}

/** Our parts in the library's places. */
function partsOf(
  open: IOpenRoom,
  services: IChatServices
): Omit<IRoomChat, 'strip'> {
  const { chat, rendermime, themes, trans } = services;
  return {
    ...{ ...open, rendermime, themes, me: chat.me },
    above: ({ id }) => <MessageHead id={id} open={open} />,
    below: ({ id }) => <MessageFooter id={id} open={open} />,
    tools: () => <Tools open={open} />,
    mentions: () => mentionsOf(open, services),
    deletedText: `*${trans.__('This message was deleted.')}*`
  };
}

/** Who can be mentioned: the assistants, who is here, and who has written. */
function mentionsOf(open: IOpenRoom, { chat }: IChatServices): IMention[] {
  const found = new Map<string, string>();
  chat.assistants.all.forEach(({ name, display_name }) =>
    found.set(name, display_name)
  );
  const room = chat.rooms.get(open.model.room)?.room;
  room?.members.forEach(username => found.set(username, ''));
  [
    ...open.presence.people,
    ...open.model.messages.map(({ author }) => author)
  ].forEach(person => found.set(person.username, nameOf(person)));
  found.delete(chat.me.username);
  return [...found].map(([name, description]) => ({
    ...{ name: `@${name}`, description }
  }));
}

/** Keep the place in the list, read more at its ends, and say what was seen. */
function useScroll(
  holder: React.RefObject<HTMLDivElement>,
  { model }: IOpenRoom,
  { chat, trans }: IChatServices,
  onEnd: (atEnd: boolean) => void,
  hasFailed: boolean
): React.RefObject<RoomScroll> {
  const scroll = React.useRef<RoomScroll | null>(null);
  React.useEffect(() => {
    if (!holder.current) {
      return;
    }
    const made = new RoomScroll(holder.current, {
      ...{ model, onEnd, onSeen: seq => chat.seen(seq) },
      label: () => {
        const room = chat.rooms.get(model.room)?.room;
        return trans.__('Messages in %1', room ? titleOf(room) : model.room);
      },
      labelOf: id => {
        const message = model.get(id);
        return message
          ? `${nameOf(message.author)}: ${firstLine(message.text)}`
          : '';
      }
    });
    const look = () => made.look();
    chat.changed.connect(look);
    scroll.current = made;
    return () => {
      chat.changed.disconnect(look);
      made.dispose();
      scroll.current = null;
    };
  }, [model, hasFailed]);
  return scroll;
}
