/**
 * Notifications for tests: what they are, and a list whose server a test plays.
 */
import { Notification, Notifications } from '../protocol/generated';
import { NotificationList, NotificationTopic } from '../panel/notificationList';
import { StubConnections } from './stubs';

/** A notification with what matters to a test. */
export function noticeOf(
  id: string,
  more: Partial<Notification> = {}
): Notification {
  return {
    id,
    level: 'info',
    title: `Title ${id}`,
    message: '',
    sender: 'alice',
    time: 1000,
    version: 1,
    source: '',
    actions: [],
    progress: null,
    expires: null,
    since: 0,
    updated: 0,
    ...more
  };
}

/** One that stands in what the server lists. */
export interface IListedNotice {
  notification: Notification;
  offset: number;
  read?: boolean;
  topic?: NotificationTopic;
}

export class NoticeRig {
  readonly connections = new StubConnections();
  readonly errors: string[] = [];
  readonly list = new NotificationList(this.connections, ({ message }) =>
    this.errors.push(message)
  );

  /** Answer the newest question for the list. */
  async answer(
    listed: IListedNotice[],
    unread?: number,
    more: Partial<Pick<Notifications, 'marker' | 'dismissed'>> = {}
  ): Promise<void> {
    const items = listed.map(one => ({
      topic: 'notifications/me',
      read: false,
      ...one
    }));
    const count = unread ?? items.filter(({ read }) => !read).length;
    this.last('notifications.list').resolve({
      items,
      unread: count,
      marker: { me: 0, all: 0 },
      dismissed: [],
      ...more
    });
    await settled();
  }

  /** The newest request of a method. */
  last(method: string): StubConnections['requests'][number] {
    const found = this.connections.requests.filter(
      one => one.method === method
    );
    return found[found.length - 1]!;
  }

  /** A notification comes, or an update of one. */
  tell(
    notification: Notification,
    offset: number,
    topic: NotificationTopic = 'notifications/me'
  ): void {
    this.connections.tellTopic(topic, 'notification', notification, offset);
  }

  /** Dismiss the first one with an id. */
  dismiss(id: string): void {
    this.list.dismiss(
      this.list.entries.find(({ notification }) => notification.id === id)!
    );
  }

  /** The ids in the list, `*` for unread. */
  get shown(): string[] {
    return this.list.entries.map(
      ({ notification, isRead }) => `${notification.id}${isRead ? '' : '*'}`
    );
  }
}

/** Let what was answered be taken. */
export async function settled(): Promise<void> {
  for (let n = 0; n < 10; n++) {
    await Promise.resolve();
  }
}
