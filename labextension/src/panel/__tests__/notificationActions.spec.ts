import { Action } from '../../protocol/generated';
import { NotificationActions, webAddress } from '../notificationActions';

let done: string[];

const actions = new NotificationActions({
  openPath: path => void done.push(`path ${path}`),
  openUrl: url => void done.push(`url ${url}`),
  runCommand: id => void done.push(`command ${id}`),
  allowsCommand: id => id === 'docmanager:save',
  explain: ({ target }) => void done.push(`not ${target}`)
});

const run = (kind: Action['kind'], target: string) => {
  done = [];
  const label = 'x';
  actions.run({ label, kind, target });
  return done;
};

describe('The button of a notification', () => {
  it('opens a path below the server’s root', () => {
    expect(run('path', '/a/b.txt')).toEqual(['path a/b.txt']);
  });

  it('opens an address of the web', () => {
    expect(run('url', 'https://a.test/x?y')).toEqual([
      'url https://a.test/x?y'
    ]);
  });

  it.each([
    'javascript:alert(1)',
    ' JavaScript:alert(1)',
    'data:text/html,x',
    'file:///etc/passwd',
    'blob:https://a.test/1',
    '//a.test',
    'a.test',
    ''
  ])('opens nothing else: %p', target => {
    expect(webAddress(target)).toBeNull();
    expect(run('url', target)).toEqual([`not ${target}`]);
  });

  it('runs a command only where the user allows it', () => {
    expect(run('command', 'docmanager:save')).toEqual([
      'command docmanager:save'
    ]);
    expect(run('command', 'filebrowser:delete')).toEqual([
      'not filebrowser:delete'
    ]);
  });
});
