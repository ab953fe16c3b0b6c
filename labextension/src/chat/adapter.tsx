/**
 * The only file that knows `@jupyter/chat`: our room on its components. All else knows our own model.
 *
 * What of it is used: the list of messages, the input with its toolbar and completion, and who types. What is not: its
 * unread counts in the browser's storage (they are kept on the server), its own edit and delete buttons (who may do
 * what is not as it thinks), its mentions (it makes regular expressions of names) and its code toolbar.
 */
import {
  AbstractChatContext,
  AbstractChatModel,
  ChatCommandRegistry,
  ChatInput,
  ChatMessages,
  ChatReactContext,
  IChatContext,
  IChatModel,
  IMessageContent,
  InputToolbarRegistry,
  INewMessage,
  IUser,
  JlThemeProvider,
  MessageFooterRegistry,
  MessagePreambleRegistry,
  WritingIndicator
} from '@jupyter/chat';
import { IThemeManager } from '@jupyterlab/apputils';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import * as React from 'react';

import { Author } from '../protocol/generated';
import { Composer } from './composer';
import { colourOf, editsOf, initialsOf, IShown, outline } from './outline';
import { nameOf, RoomPresence } from './presence';
import { RoomModel } from './roomModel';

/** Something that can be mentioned. */
export interface IMention {
  /** With the `@`. */
  readonly name: string;
  readonly description: string;
}

/** A room and what is to be seen of it. */
export interface IRoomChat {
  readonly model: RoomModel;
  readonly composer: Composer;
  readonly presence: RoomPresence;
  readonly me: Author;
  readonly rendermime: IRenderMimeRegistry;
  readonly themes: IThemeManager | null;
  /** Above a message's text. */
  readonly above: React.FunctionComponent<{ id: string }>;
  /** Below it. */
  readonly below: React.FunctionComponent<{ id: string }>;
  /** Between the messages and the input. */
  readonly strip: React.ReactNode;
  /** Below the input, left of the button that sends. */
  readonly tools: React.FunctionComponent;
  /** What may be mentioned. */
  readonly mentions: () => readonly IMention[];
  /** What stands for a message's text where it has none. */
  readonly deletedText: string;
}

/** Messages that are drawn at once: as many as are in view. */
const AT_ONCE = 12;
/** Time for what is drawn to be painted, before more is. */
const BETWEEN_MS = 20;

/** Our room as the library's model. */
class HubChatModel extends AbstractChatModel {
  constructor(private readonly _chat: IRoomChat) {
    // Without an id: nothing of it is kept in the browser's storage.
    super({ config: { enableCodeToolbar: false, showDeleted: true } });
    const { model, composer, presence } = _chat;
    this.name = model.room;
    // Of unread messages the server knows; here none is.
    this.lastRead = Number.MAX_SAFE_INTEGER;
    model.changed.connect(this._sync, this);
    presence.changed.connect(this._onPresence, this);
    composer.filled.connect(this._onFilled, this);
    this.input.value = composer.text;
    this.input.valueChanged.connect((_, text) => {
      composer.typed(text);
      presence.typed(text.trim() === '');
    });
    this._sync();
    this._onPresence();
    this.setReady();
  }

  get user(): IUser {
    return userOf(this._chat.me);
  }

  /** The library empties the input: what was not taken, or was written before an edit, comes back into it. */
  sendMessage({ body }: INewMessage): boolean {
    const { composer } = this._chat;
    const sent = composer.send(body);
    const { text } = composer;
    void Promise.resolve().then(() => (this.input.value = text));
    return sent;
  }

  createChatContext(): IChatContext {
    return new HubChatContext({ model: this });
  }

  dispose(): void {
    const { model, composer, presence } = this._chat;
    model.changed.disconnect(this._sync, this);
    presence.changed.disconnect(this._onPresence, this);
    composer.filled.disconnect(this._onFilled, this);
    clearTimeout(this._rest ?? undefined);
    super.dispose();
  }

  /**
   * Make the library's list that of our model, with as little as can be done. Of many messages the newest come first
   * and the others a few at a time, upwards: drawing 50 at once takes several times as long as a person should wait.
   */
  private _sync(): void {
    const all = outline(this._chat.model, this._chat.me);
    const from = this._from(all);
    const shown = all.slice(from);
    if (from > 0) {
      this._rest ??= setTimeout(() => {
        this._rest = null;
        this._sync();
      }, BETWEEN_MS);
    }
    const ids = shown.map(({ id }) => id);
    const { remove, insert } = editsOf(
      this.messages.map(({ id }) => id),
      ids
    );
    remove.forEach(index => this.messagesDeleted(index, 1));
    for (const { at, from, to } of insert) {
      this.messagesInserted(
        at,
        shown.slice(from, to).map(each => this._content(each))
      );
    }
    shown.forEach((each, index) => {
      const { body, time } = this._content(each);
      const message = this.messages[index];
      if (message && (message.body !== body || message.time !== time)) {
        message.update({ body, time });
      }
    });
  }

  /** Where what is drawn begins now: some messages above what is drawn, or is to be looked at. */
  private _from(all: readonly IShown[]): number {
    const drawn = new Set(this.messages.map(({ id }) => id));
    const target = this._chat.model.place.target?.id;
    const first = all.findIndex(({ id }) => drawn.has(id) || id === target);
    return Math.max(0, (first < 0 ? all.length : first) - AT_ONCE);
  }

  private _content(shown: IShown): IMessageContent {
    const { id, author, time, streaming, deleted } = shown;
    const { deletedText } = this._chat;
    // What grows is shown above the text, by who follows it.
    const body = deleted ? deletedText : streaming ? '' : shown.text;
    const sender = userOf(author);
    return { type: 'msg', id, body, time: time / 1000, sender };
  }

  private _onPresence(): void {
    const { presence, me } = this._chat;
    const typing = presence.people.filter(
      ({ state, username }) => state === 'typing' && username !== me.username
    );
    this.updateWriters(
      typing.map(({ username, display_name }) => ({
        user: userOf({ username, display_name, assistant: false })
      }))
    );
  }

  private _onFilled(_: Composer, text: string | null): void {
    if (text !== null) {
      this.input.value = text;
    }
    this.input.focus();
  }

  private _rest: ReturnType<typeof setTimeout> | null = null;
}

class HubChatContext extends AbstractChatContext {
  get users(): IUser[] {
    return [];
  }
}

function userOf(author: Author): IUser {
  const name = nameOf(author);
  return {
    username: author.username,
    display_name: name,
    initials: initialsOf(name),
    color: `var(--jp-ws-hub-avatar-${colourOf(author.username)})`,
    bot: author.assistant
  };
}

/** What follows an `@` in the input, completed. */
function mentionCommands(mentions: IRoomChat['mentions']): ChatCommandRegistry {
  const registry = new ChatCommandRegistry();
  registry.addProvider({
    id: 'jupyter-ws-hub:mentions',
    listCommandCompletions: async ({ currentWord }) => {
      const word = currentWord?.toLowerCase() ?? '';
      return mentions()
        .filter(({ name }) => word !== '' && isBegun(name, word))
        .map(({ name, description }) => ({
          ...{ name, description, spaceOnAccept: true },
          providerId: 'jupyter-ws-hub:mentions'
        }));
    },
    onSubmit: async () => undefined
  });
  return registry;
}

const isBegun = (name: string, word: string) =>
  word.startsWith('@') &&
  name.toLowerCase().startsWith(word) &&
  name.toLowerCase() !== word;

/** The parts of ours in the places that the library has for them. */
function registriesOf(chat: IRoomChat) {
  const footers = new MessageFooterRegistry();
  const { above: Above, below: Below, tools: Tools } = chat;
  footers.addSection({
    position: 'left',
    component: ({ message }) => <Below id={message.id} />
  });
  const preambles = new MessagePreambleRegistry();
  preambles.addComponent(({ message }) => <Above id={message.id} />);
  const tools = new InputToolbarRegistry();
  const send = InputToolbarRegistry.defaultToolbarRegistry().get('send');
  tools.addItem('hub', { element: () => <Tools />, position: 10 });
  if (send) {
    tools.addItem('send', send);
  }
  return {
    messageFooterRegistry: footers,
    messagePreambleRegistry: preambles,
    inputToolbarRegistry: tools,
    chatCommandRegistry: mentionCommands(chat.mentions)
  };
}

const LOOK_MS = 100;

/** Who types, as the library knows it. */
function useWriters(model: HubChatModel): IChatModel.IWriter[] {
  const [writers, setWriters] = React.useState(model.writers);
  React.useEffect(() => {
    const changed = (_: IChatModel, now: IChatModel.IWriter[]) =>
      setWriters(now);
    model.writersChanged.connect(changed);
    return () => void model.writersChanged.disconnect(changed);
  }, [model]);
  return writers;
}

function Body(props: { chat: IRoomChat; model: HubChatModel }): JSX.Element {
  const { chat, model } = props;
  const writers = useWriters(model);
  const registries = React.useMemo(() => registriesOf(chat), [chat.model]);
  const context = React.useMemo(
    () => ({
      ...{ model, rmRegistry: chat.rendermime, area: 'sidebar' as const },
      ...registries
    }),
    [model, registries]
  );
  const themed = useThemed();
  return (
    <JlThemeProvider themeManager={chat.themes}>
      {themed && (
        <ChatReactContext.Provider value={context}>
          <ChatMessages />
          {chat.strip}
          <div
            className="jp-WsHub-input"
            onKeyDownCapture={event => onKey(event, chat.composer)}
          >
            <ChatInput model={model.input} />
          </div>
          <WritingIndicator writers={writers} sx={{ paddingLeft: 4 }} />
        </ChatReactContext.Provider>
      )}
    </JlThemeProvider>
  );
}

/** Whether the theme is there: with it the library makes all that it has drawn before anew. */
function useThemed(): boolean {
  const [themed, setThemed] = React.useState(false);
  React.useEffect(() => {
    // The library's own look is at the same moments; it has looked when this timer ends.
    const look = () => {
      if (document.body.hasAttribute('data-jp-theme-light')) {
        setThemed(true);
      } else {
        timer = setTimeout(look, LOOK_MS);
      }
    };
    let timer = setTimeout(look);
    return () => clearTimeout(timer);
  }, []);
  return themed;
}

/** The key that ends a word in an input method sends nothing; Escape ends a reply or edit, unless it closes a list. */
function onKey(event: React.KeyboardEvent, composer: Composer): void {
  const target = event.target as HTMLElement;
  const isListOpen = target.getAttribute('aria-expanded') === 'true';
  if (event.nativeEvent.isComposing) {
    event.stopPropagation();
  } else if (
    event.key === 'Escape' &&
    composer.purpose.kind !== 'new' &&
    !isListOpen
  ) {
    event.stopPropagation();
    composer.cancel();
  } else if (event.key === 'Enter' && isListOpen && takeMarked(target)) {
    event.stopPropagation();
    event.preventDefault();
  }
}

/** Take what is marked in the list: the library does so only after the arrow keys, else it empties the input. */
function takeMarked(input: HTMLElement): boolean {
  const named = (attribute: string) =>
    document.getElementById(input.getAttribute(attribute) ?? '');
  const marked =
    named('aria-activedescendant') ??
    named('aria-controls')?.querySelector<HTMLElement>('[role="option"]');
  marked?.click();
  return !!marked;
}

/** A room on the library's components. */
export function RoomChat(props: { chat: IRoomChat }): JSX.Element | null {
  const { chat } = props;
  const [model, setModel] = React.useState<HubChatModel | null>(null);
  React.useEffect(() => {
    const made = new HubChatModel(chat);
    setModel(made);
    return () => made.dispose();
  }, [chat.model]);
  return model && <Body key={chat.model.room} chat={chat} model={model} />;
}
