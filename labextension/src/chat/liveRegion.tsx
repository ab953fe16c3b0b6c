/**
 * What is new in a room, for who listens instead of looking: politely, and an answer when it is complete.
 */
import * as React from 'react';

import { ChatMessage } from '../protocol/generated';
import { IOpenRoom } from './chatModel';
import { nameOf } from './presence';
import { useServices } from './services';

const LONGEST = 300;

export function LiveRegion({ open }: { open: IOpenRoom }): JSX.Element {
  const { chat } = useServices();
  const [text, setText] = React.useState('');
  const { model } = open;
  React.useEffect(() => {
    const said = (_: unknown, { author, text: words }: ChatMessage) => {
      if (author.username !== chat.me.username) {
        setText(`${nameOf(author)}: ${words.slice(0, LONGEST)}`);
      }
    };
    model.said.connect(said);
    return () => void model.said.disconnect(said);
  }, [model]);
  return (
    <div className="jp-WsHub-live" aria-live="polite">
      {text}
    </div>
  );
}
