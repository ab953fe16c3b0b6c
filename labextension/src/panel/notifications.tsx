/**
 * The list of notifications, newest first.
 */
import { TranslationBundle } from '@jupyterlab/translation';
import { closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { Action } from './action';
import { INotificationActions } from './notificationActions';
import { LEVEL_ICONS } from './notificationIcons';
import { IEntry, isGoing, NotificationList } from './notificationList';
import { levelName, origin, shortTime, unreadText } from './notificationWords';

/** How a notification is posted from a terminal. */
const EXAMPLE = 'jupyter ws-hub notify "done"';

interface IProps {
  list: NotificationList;
  actions: INotificationActions;
  trans: TranslationBundle;
}

interface IRowProps extends IProps {
  entry: IEntry;
}

function Progress({ entry, trans }: IRowProps): JSX.Element | null {
  const { progress, title } = entry.notification;
  if (progress === null || !isGoing(entry.notification)) {
    return null;
  }
  return (
    <div className="jp-WsHub-noticeProgress">
      <progress
        aria-label={trans.__('Progress of %1', title)}
        value={progress}
        max={1}
      />
      <span className="jp-WsHub-noticePercent">
        {trans.__('%1 %', Math.floor(100 * progress))}
      </span>
    </div>
  );
}

function Buttons({ entry, actions }: IRowProps): JSX.Element | null {
  const { notification } = entry;
  return notification.actions.length === 0 ? null : (
    <div className="jp-WsHub-noticeButtons">
      {notification.actions.map((action, n) => (
        <button
          key={n}
          className="jp-Button jp-mod-styled"
          title={`${action.label}\n${action.target}`}
          onClick={() => actions.run(action)}
        >
          {action.label}
        </button>
      ))}
    </div>
  );
}

function Row(props: IRowProps): JSX.Element {
  const { entry, list, trans } = props;
  const { topic, isRead, notification } = entry;
  const { level, title, message, time } = notification;
  const Icon = LEVEL_ICONS[level];
  const at = new Date(time);
  const from = origin(notification, topic === 'notifications/all', trans);
  return (
    <li
      className="jp-WsHub-notice"
      data-id={notification.id}
      data-level={level}
      data-read={isRead}
    >
      <Icon.react
        tag="span"
        className="jp-WsHub-noticeIcon"
        width="16px"
        height="16px"
        aria-hidden="true"
      />
      <div className="jp-WsHub-noticeTitle">
        <span className="jp-WsHub-srOnly">
          {levelName(level, trans)}
          {isRead ? '' : `, ${trans.__('unread')}`}:{' '}
        </span>
        {title}
      </div>
      <time dateTime={at.toISOString()} title={at.toLocaleString()}>
        {shortTime(time, Date.now())}
      </time>
      <Action
        icon={closeIcon}
        label={trans.__('Dismiss %1', title)}
        onClick={() => list.dismiss(entry)}
      />
      <div className="jp-WsHub-noticeBody">
        {message && <p>{message}</p>}
        <Progress {...props} />
        {from && <div className="jp-WsHub-details">{from}</div>}
        <Buttons {...props} />
      </div>
    </li>
  );
}

export function Notifications(props: IProps): JSX.Element {
  const { list, trans } = props;
  const { entries, error, unread } = list;
  return (
    <>
      <div className="jp-WsHub-buttons">
        <p role="status" className="jp-WsHub-unread">
          {unreadText(unread, trans) ?? trans.__('All read')}
        </p>
        <button
          className="jp-Button jp-mod-minimal jp-WsHub-markRead"
          disabled={unread === 0}
          onClick={() => list.markAllRead()}
        >
          {trans.__('Mark all as read')}
        </button>
      </div>
      {error !== null && (
        <p className="jp-WsHub-empty">
          {trans.__('Notifications cannot be shown: %1', error)}
        </p>
      )}
      {entries.length === 0 && error === null && (
        <p className="jp-WsHub-empty">
          {trans.__(
            'Nothing yet. Any program on the server can notify you here:'
          )}{' '}
          <code>{EXAMPLE}</code>
        </p>
      )}
      {entries.length > 0 && (
        <ul className="jp-WsHub-notices" aria-label={trans.__('Notifications')}>
          {entries.map(entry => (
            <Row key={entry.key} entry={entry} {...props} />
          ))}
        </ul>
      )}
    </>
  );
}
