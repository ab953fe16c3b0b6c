/**
 * A plain view of a room: the messages and an input.
 */
import { TranslationBundle } from '@jupyterlab/translation';
import { LabIcon, ReactWidget, UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import { RoomModel } from './model';

/** The icon of rooms. */
export const chatIcon = new LabIcon({
  name: 'jupyter-ws-hub:chat',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <path class="jp-icon3" fill="#616161" d="M4 3h16a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H9l-5 4v-4a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2z"/>
  </svg>`
});

function Messages(props: {
  model: RoomModel;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, trans } = props;
  const end = React.useRef<HTMLLIElement>(null);
  const count = model.messages.length + model.outgoing.length;
  React.useEffect(() => {
    end.current?.scrollIntoView({ block: 'nearest' });
  }, [count]);
  return (
    <ol className="jp-WsHub-messages" role="log" aria-live="polite">
      {model.messages.map(({ id, author, text, time }) => (
        <li key={id} className="jp-WsHub-message">
          <span className="jp-WsHub-author" title={author.username}>
            {author.display_name}
          </span>
          <time dateTime={new Date(time).toISOString()}>
            {new Date(time).toLocaleTimeString([], {
              hour: '2-digit',
              minute: '2-digit'
            })}
          </time>
          <div className="jp-WsHub-text">{text}</div>
        </li>
      ))}
      {model.outgoing.map(({ id, text, error }) => (
        <li key={id} className="jp-WsHub-message jp-mod-outgoing">
          <div className="jp-WsHub-text">{text}</div>
          <span className="jp-WsHub-details">
            {error === null ? (
              trans.__('sending…')
            ) : (
              <>
                {trans.__('not sent: %1', error)}{' '}
                <button
                  className="jp-Button jp-mod-minimal"
                  onClick={() => void model.post(text, id)}
                >
                  {trans.__('Try again')}
                </button>
              </>
            )}
          </span>
        </li>
      ))}
      <li ref={end} aria-hidden="true" />
    </ol>
  );
}

function Input(props: {
  model: RoomModel;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, trans } = props;
  const [text, setText] = React.useState('');
  const post = () => {
    if (text.trim() !== '') {
      void model.post(text);
      setText('');
    }
  };
  return (
    <form
      className="jp-WsHub-input"
      onSubmit={event => {
        event.preventDefault();
        post();
      }}
    >
      <textarea
        className="jp-mod-styled"
        rows={2}
        value={text}
        placeholder={trans.__('Message to %1', model.room)}
        aria-label={trans.__('Message')}
        onChange={event => setText(event.target.value)}
        onKeyDown={event => {
          const composing = event.nativeEvent.isComposing;
          if (event.key === 'Enter' && !event.shiftKey && !composing) {
            event.preventDefault();
            post();
          }
        }}
      />
      <button className="jp-Button jp-mod-styled jp-mod-accept" type="submit">
        {trans.__('Send')}
      </button>
    </form>
  );
}

export class RoomWidget extends ReactWidget {
  constructor(
    private readonly _model: RoomModel,
    private readonly _trans: TranslationBundle
  ) {
    super();
    this.id = 'jupyter-ws-hub-chat';
    this.addClass('jp-WsHub-room');
    this.title.icon = chatIcon;
    this.title.caption = _trans.__('Chat');
  }

  render(): JSX.Element {
    const { _model: model, _trans: trans } = this;
    return (
      <UseSignal signal={model.changed}>
        {() => (
          <>
            <h2>{trans.__('Room: %1', model.room)}</h2>
            {model.error !== null && (
              <p className="jp-WsHub-empty" role="alert">
                {model.error}
              </p>
            )}
            <Messages model={model} trans={trans} />
            <Input model={model} trans={trans} />
          </>
        )}
      </UseSignal>
    );
  }
}
