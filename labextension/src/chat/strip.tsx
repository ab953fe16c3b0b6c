/**
 * What stands between the messages and the input: what the input is for, what goes along, and how to get an assistant.
 */
import * as React from 'react';

import { Room } from '../protocol/generated';
import { AttachmentChips } from './chips';
import { IOpenRoom } from './chatModel';
import { nameOf } from './presence';
import { useChanges, useServices } from './services';
import { firstLine } from './words';

export function Strip(props: { open: IOpenRoom }): JSX.Element {
  const { chat, sources } = useServices();
  const { composer, model } = props.open;
  useChanges(composer.changed, chat.rooms.changed);
  const room = chat.rooms.get(model.room)?.room;
  if (room?.archived) {
    return <Archived room={room} />;
  }
  return (
    <div className="jp-WsHub-strip">
      <Hint />
      <Purpose open={props.open} />
      {composer.attachments.length > 0 && (
        <AttachmentChips
          attachments={composer.attachments}
          onOpen={attachment => sources.open(attachment)}
          onRemove={attachment => composer.detach(attachment)}
        />
      )}
    </div>
  );
}

/** Why there is no input, and how it comes back. */
function Archived({ room }: { room: Room }): JSX.Element {
  const { actions, chat, trans } = useServices();
  return (
    <div className="jp-WsHub-archived" role="status">
      {trans.__('This room is archived: it can be read, not written to.')}
      {chat.isModerator(room.name) && (
        <button
          className="jp-WsHub-action jp-mod-always"
          onClick={() => actions.archive(room)}
        >
          {trans.__('Open again')}
        </button>
      )}
    </div>
  );
}

/** Where no assistant is there: how to get one. */
function Hint(): JSX.Element | null {
  const { assistants } = useServices().chat;
  useChanges(assistants.changed);
  if (!assistants.isReady || assistants.all.length > 0) {
    return null;
  }
  return (
    <div className="jp-WsHub-hint">
      {assistants.hint.map((line, index) => (
        <div key={index}>{line}</div>
      ))}
    </div>
  );
}

function Purpose({ open }: { open: IOpenRoom }): JSX.Element | null {
  const { trans } = useServices();
  const { purpose } = open.composer;
  if (purpose.kind === 'new') {
    return null;
  }
  const { author, text } = purpose.message;
  return (
    <div className="jp-WsHub-purpose" role="status">
      <span className="jp-WsHub-purposeText">
        {purpose.kind === 'edit'
          ? trans.__('Editing: %1', firstLine(text))
          : trans.__('Reply to %1: %2', nameOf(author), firstLine(text))}
      </span>
      <button
        className="jp-WsHub-action jp-mod-always"
        onClick={() => open.composer.cancel()}
      >
        {trans.__('Cancel')}
      </button>
    </div>
  );
}
