import { expect, test } from 'vitest';
import { checkProfile, torchvisionProfile } from '../src/profile.ts';

const profile = torchvisionProfile({ source: 'a test', numClasses: 2 });
const arms = { names: ['left', 'right'], skeleton: [[0, 1]], partners: [1, 0] };

test('a profile keeps what the key points are', () => {
  expect(checkProfile({ ...profile, keypoints: arms }, 'file', 'profile')).toMatchObject({ keypoints: arms });
  expect(checkProfile({ ...profile, keypoints: { ...arms, partners: undefined } }, 'file', 'profile')).toBeDefined();
});

test.each([
  { ...arms, names: 'left' },
  { ...arms, names: [1, 2] },
  { ...arms, skeleton: [[0, 2]] },
  { ...arms, skeleton: [[0]] },
  { ...arms, partners: [1, -1] },
  { ...arms, skeleton: undefined },
  ['left', 'right'],
])('key points that are none of it are refused: %j', (keypoints) => {
  expect(() => checkProfile({ ...profile, keypoints }, 'file', 'profile')).toThrow(
    expect.objectContaining({ code: 'FILE_MALFORMED', place: 'profile/keypoints' }),
  );
});
