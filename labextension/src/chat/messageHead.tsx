/**
 * What stands above a message's text: what it replies to, what is attached, and the text itself while it grows.
 */
import * as React from 'react';

import { AttachmentChips } from './chips';
import { IOpenRoom } from './chatModel';
import { find } from './outline';
import { nameOf } from './presence';
import { useChanges, useServices } from './services';
import { StreamText } from './streamText';
import { firstLine } from './words';

export function MessageHead(props: {
  id: string;
  open: IOpenRoom;
}): JSX.Element | null {
  const { chat, rendermime, sources, trans } = useServices();
  const { model } = props.open;
  useChanges(model.changed);
  const shown = find(model, props.id, chat.me);
  if (!shown || shown.deleted) {
    return null;
  }
  const { message, outgoing, id } = shown;
  const replyTo = message?.reply_to ?? outgoing?.replyTo ?? '';
  const answered = model.get(replyTo);
  const attachments = message?.attachments ?? outgoing?.attachments ?? [];
  const isEmpty = shown.streaming && shown.text === '';
  return (
    <>
      {replyTo !== '' && !message?.answer && (
        <blockquote className="jp-WsHub-quote">
          <button
            className="jp-WsHub-quoted"
            title={trans.__('Go to this message')}
            onClick={() => void model.place.goToMessage(replyTo)}
          >
            {answered
              ? `${nameOf(answered.author)}: ${firstLine(answered.text)}`
              : trans.__('An earlier message')}
          </button>
        </blockquote>
      )}
      {attachments.length > 0 && (
        <AttachmentChips
          attachments={attachments}
          onOpen={attachment => sources.open(attachment)}
        />
      )}
      {message?.answer && (
        <>
          {isEmpty && (
            <div className="jp-WsHub-thinking" aria-hidden="true">
              <span />
              <span />
              <span />
            </div>
          )}
          <StreamText model={model} id={id} rendermime={rendermime} />
        </>
      )}
    </>
  );
}
