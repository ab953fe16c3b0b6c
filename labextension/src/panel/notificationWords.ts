/**
 * The words of notifications, in the user's language.
 */
import { TranslationBundle } from '@jupyterlab/translation';

import { Notification } from '../protocol/generated';

/** A level's name. */
export function levelName(
  level: Notification['level'],
  trans: TranslationBundle
): string {
  switch (level) {
    case 'info':
      return trans.__('Information');
    case 'success':
      return trans.__('Success');
    case 'warning':
      return trans.__('Warning');
    case 'error':
      return trans.__('Error');
  }
}

const DAY_MS = 86_400_000;

/** When something was, as short as it is clear: the time of today, the day of what is older. */
export function shortTime(time: number, now: number): string {
  const at = new Date(time);
  const isToday = at.toDateString() === new Date(now).toDateString();
  if (isToday) {
    return at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  }
  return now - time < 300 * DAY_MS
    ? at.toLocaleDateString([], { month: 'short', day: 'numeric' })
    : at.toLocaleDateString();
}

/** What servers call a user whom nobody has given a name. */
const NAMELESS = /^[0-9a-f]{32}$/;

/** Which program it comes from; of what goes to everybody, also who has sent it. Empty where there is nothing to say. */
export function origin(
  { source, sender }: Notification,
  isForAll: boolean,
  trans: TranslationBundle
): string {
  const who = isForAll && !NAMELESS.test(sender) ? sender : '';
  const from = [source, who].filter(part => part !== '').join(', ');
  if (!isForAll) {
    return from;
  }
  return from ? trans.__('%1, to everybody', from) : trans.__('to everybody');
}

/** How many are unread; null if none are. */
export function unreadText(
  count: number,
  trans: TranslationBundle
): string | null {
  return count > 0 ? trans.__('%1 unread', count) : null;
}
