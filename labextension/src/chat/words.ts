/**
 * The chat's words, in the user's language.
 */
import { PathExt } from '@jupyterlab/coreutils';
import { TranslationBundle } from '@jupyterlab/translation';

import {
  Answer,
  AssistantInfo,
  Attachment,
  ChatMessage,
  Room
} from '../protocol/generated';
import { ConnectionState } from '../tokens';
import { Attachable } from './attachments';
import { CodeAction } from './codeActions';
import { IGuardWords } from './imageGuard';
import { IOutgoing } from './outbox';

/** What a room is called. */
export function titleOf({ title, name }: Room): string {
  return title || name;
}

/** What an attachment is called. */
export function attachmentName(
  { kind, path, text }: Attachment,
  trans: TranslationBundle
): string {
  const file = PathExt.basename(path);
  switch (kind) {
    case 'selection': {
      const lines = text.split('\n').length;
      const where = file || trans.__('selection');
      return trans._n('%2, %1 line', '%2, %1 lines', lines, where);
    }
    case 'cell':
      return trans.__('%1, a cell', file);
    default:
      return file;
  }
}

/** What can be attached. */
export function attachableName(
  kind: Attachable,
  trans: TranslationBundle
): string {
  switch (kind) {
    case 'selection':
      return trans.__('Selected text');
    case 'cell':
      return trans.__('Active cell with its output');
    case 'notebook':
      return trans.__('This notebook');
    case 'file':
      return trans.__('Files…');
  }
}

/** What is done with code, or why it cannot be done. */
export function codeActionName(
  action: CodeAction,
  can: boolean,
  trans: TranslationBundle
): string {
  const name = codeActionWords(action, trans);
  return can ? name : trans.__('%1: open a notebook that you may change', name);
}

function codeActionWords(action: CodeAction, trans: TranslationBundle): string {
  switch (action) {
    case 'insert':
      return trans.__('Insert into cell');
    case 'replace':
      return trans.__('Replace cell');
    case 'below':
      return trans.__('New cell below');
    case 'copy':
      return trans.__('Copy');
  }
}

/** How it is with a message that is on its way. */
export function deliveryText(
  { state, error }: IOutgoing,
  connection: ConnectionState,
  trans: TranslationBundle
): string {
  if (state === 'failed') {
    return trans.__('Not sent: %1', error ?? '');
  }
  if (connection !== 'connected') {
    return trans.__('Will be sent when the connection is back');
  }
  return error === null
    ? trans.__('Sending…')
    : trans.__('Sending again: %1', error);
}

/** That a message was changed, and by whom if it was not who wrote it. */
export function changeText(
  { deleted, edited, edited_by: by }: ChatMessage,
  trans: TranslationBundle
): string {
  if (deleted) {
    return by === '' ? '' : trans.__('deleted by %1', by);
  }
  if (edited === null) {
    return '';
  }
  return by === '' ? trans.__('edited') : trans.__('edited by %1', by);
}

/** How it is with an answer, and what it took. */
export function answerText(answer: Answer, trans: TranslationBundle): string {
  const parts = [answerState(answer, trans)];
  if (answer.usage) {
    const { input_tokens, output_tokens } = answer.usage;
    parts.push(
      trans.__(
        '%1 tokens in, %2 out',
        input_tokens.toLocaleString(),
        output_tokens.toLocaleString()
      )
    );
  }
  parts.push(answer.model);
  return parts.filter(part => part !== '').join(' · ');
}

function answerState(answer: Answer, trans: TranslationBundle): string {
  switch (answer.state) {
    case 'writing':
      return trans.__('Answering…');
    case 'stopped':
      return trans.__('Stopped');
    case 'failed':
      return answer.error || trans.__('Failed');
    case 'done':
      return answer.reason === 'length'
        ? trans.__('Ended at the longest allowed length')
        : '';
  }
}

/** An assistant in the list of those that may answer. */
export function assistantDetails(
  { state, reason, local }: AssistantInfo,
  trans: TranslationBundle
): string {
  switch (state) {
    case 'starting':
      return trans.__('starting…');
    case 'down':
      return reason || trans.__('not available');
    default:
      return local
        ? trans.__('stays on this server')
        : trans.__('leaves this server');
  }
}

/** The state of the connection; empty while all is well. */
export function connectionText(
  state: ConnectionState,
  waiting: number,
  trans: TranslationBundle
): string {
  if (state === 'connected' || state === 'idle') {
    return '';
  }
  const words =
    state === 'failed' || state === 'disconnected'
      ? trans.__('Not connected.')
      : trans.__('Connecting…');
  const sent =
    waiting > 0
      ? trans._n(
          '%1 message will be sent later.',
          '%1 messages will be sent later.',
          waiting
        )
      : '';
  return `${words} ${sent}`.trim();
}

/** What stands for images that are not loaded. */
export function imageWords(trans: TranslationBundle): IGuardWords {
  return {
    image: (alt, host) => {
      const what = alt || trans.__('image');
      return host === ''
        ? trans.__('[Image not shown: %1]', what)
        : trans.__('[Image not loaded: %1, on %2]', what, host);
    }
  };
}

/** A message in one line. */
export function firstLine(text: string): string {
  const longest = 120;
  const line = text.trim().split('\n', 1)[0] ?? '';
  return line.length > longest ? `${line.slice(0, longest)}…` : line;
}
