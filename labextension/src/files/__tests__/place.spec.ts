import { directoryOf, IPlaces, nameOf, serverPath } from '../place';

const places: IPlaces = {
  driveName: path => /^(RTC|GitHub):/.exec(path)?.[1] ?? '',
  localPath: path => path.replace(/^(RTC|GitHub):/, '').replace(/^\//, '')
};

describe('A path of the file browser', () => {
  it.each([
    ['a/b', 'a/b'],
    ['', ''],
    ['RTC:a/b', 'a/b'],
    ['odd:name/b', 'odd:name/b'],
    ['GitHub:a/b', null]
  ])('%p is %p on the server', (path, expected) => {
    expect(serverPath(places, path)).toBe(expected);
  });

  it.each([
    ['a/b/c', 'a/b', 'c'],
    ['c', '', 'c'],
    ['', '', '']
  ])('%p has a directory and a name', (path, directory, name) => {
    expect([directoryOf(path), nameOf(path)]).toEqual([directory, name]);
  });
});
