/**
 * What the chat's views are given, in one place.
 */
import { IThemeManager } from '@jupyterlab/apputils';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { TranslationBundle } from '@jupyterlab/translation';
import { ISignal } from '@lumino/signaling';
import * as React from 'react';

import { ChatMessage, Room } from '../protocol/generated';
import { IAttachmentSource } from './attachments';
import { ChatModel } from './chatModel';
import { RoomModel } from './roomModel';

/** What a person does with a room beside writing in it. */
export interface IRoomActions {
  create(): void;
  rename(room: Room): void;
  members(room: Room): void;
  archive(room: Room): void;
  remove(room: Room): void;
  removeMessage(model: RoomModel, message: ChatMessage): void;
  export(room: Room): void;
}

export interface IChatServices {
  readonly chat: ChatModel;
  readonly actions: IRoomActions;
  readonly sources: IAttachmentSource;
  readonly rendermime: IRenderMimeRegistry;
  readonly themes: IThemeManager | null;
  readonly trans: TranslationBundle;
  /** Something went wrong with what the user wanted. */
  readonly onError: (error: Error) => void;
}

const Context = React.createContext<IChatServices | null>(null);

export const ServicesProvider = Context.Provider;

export function useServices(): IChatServices {
  const services = React.useContext(Context);
  if (!services) {
    throw new Error('The chat is drawn without what it needs.');
  }
  return services;
}

/** Draw anew whenever a signal is emitted, and some of them at least once after it was missed. */
export function useChanges(...signals: ISignal<unknown, unknown>[]): void {
  const [, redraw] = React.useReducer((count: number) => count + 1, 0);
  React.useEffect(() => {
    signals.forEach(signal => signal.connect(redraw));
    // What has changed between drawing and this was not told.
    redraw();
    return () => signals.forEach(signal => void signal.disconnect(redraw));
  }, signals);
}
