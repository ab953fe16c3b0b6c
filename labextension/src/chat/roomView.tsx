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
import { ScrollKeeper } from './scroll';
import { IChatServices, useChanges, useServices } from './services';
import { Strip } from './strip';
import { Tools } from './tools';
import { titleOf } from './words';

/** Messages that are kept while nobody scrolls back. */
const KEPT = 150;

/** The room that is open. */
export function RoomView({ open }: { open: IOpenRoom }): JSX.Element {
  const services = useServices();
  const { chat, trans } = services;
  const { model } = open;
  useChanges(model.changed, chat.rooms.changed);
  const [atEnd, setAtEnd] = React.useState(true);
  const holder = React.useRef<HTMLDivElement>(null);
  const keeper = useScroll(holder, open, services, setAtEnd);
  const parts = React.useMemo(() => partsOf(open, services), [model]);
  const archived = chat.rooms.get(model.room)?.room.archived ?? false;
  if (model.error !== null && !model.isReady) {
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
      <RoomChat chat={parts} />
      {!atEnd && (
        <button
          className="jp-WsHub-toEnd"
          onClick={() => keeper.current?.toEnd()}
        >
          {trans.__('To the newest message')}
        </button>
      )}
      <LiveRegion open={open} />
    </div>
  );
}

/** Our parts in the library's places. */
function partsOf(open: IOpenRoom, services: IChatServices): IRoomChat {
  const { chat, rendermime, themes, trans } = services;
  return {
    ...{ ...open, rendermime, themes, me: chat.me },
    above: ({ id }) => <MessageHead id={id} open={open} />,
    below: ({ id }) => <MessageFooter id={id} open={open} />,
    strip: <Strip open={open} />,
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

/** Keep the place in the list, read more at its top, and say what was seen. */
function useScroll(
  holder: React.RefObject<HTMLDivElement>,
  { model }: IOpenRoom,
  { chat, trans }: IChatServices,
  setAtEnd: (atEnd: boolean) => void
): React.RefObject<ScrollKeeper> {
  const keeper = React.useRef<ScrollKeeper | null>(null);
  React.useEffect(() => {
    const seen = () => {
      if (keeper.current?.atEnd && document.visibilityState === 'visible') {
        chat.seen(model.newest);
        model.trim(KEPT);
      }
    };
    const watch = () => {
      const list = holder.current?.querySelector<HTMLElement>(
        '.jp-chat-messages-container'
      );
      const node = list?.parentElement?.parentElement;
      if (list && node && !keeper.current?.keeps(list)) {
        keeper.current?.dispose();
        labelList(node, trans.__('Messages in %1', roomTitle(model.room)));
        keeper.current = new ScrollKeeper(node, list, {
          onTop: () => void model.loadOlder(),
          onEnd: atEnd => {
            setAtEnd(atEnd);
            seen();
          }
        });
        seen();
      }
    };
    const roomTitle = (name: string) => {
      const state = chat.rooms.get(name);
      return state ? titleOf(state.room) : name;
    };
    const added = new MutationObserver(watch);
    if (holder.current) {
      added.observe(holder.current, { childList: true });
    }
    watch();
    model.changed.connect(seen);
    chat.changed.connect(seen);
    document.addEventListener('visibilitychange', seen);
    return () => {
      added.disconnect();
      model.changed.disconnect(seen);
      chat.changed.disconnect(seen);
      document.removeEventListener('visibilitychange', seen);
      keeper.current?.dispose();
      keeper.current = null;
    };
  }, [model]);
  return keeper;
}

/** The list can be scrolled with the keyboard, and has a name. What is new in it is read out by the live region. */
function labelList(node: HTMLElement, label: string): void {
  node.tabIndex = 0;
  node.setAttribute('role', 'log');
  node.setAttribute('aria-live', 'off');
  node.setAttribute('aria-label', label);
}
