import { expect, test } from 'vitest';
import { checkMachine, checkWheelTag, glibcOf, thisMachine } from '../src/platform.ts';

const debian = { platform: 'linux', arch: 'x64', glibc: '2.36' };

test('Linux on x64 with glibc is supported, and nothing else', () => {
  expect(() => checkMachine(debian)).not.toThrow();
  for (const other of [
    { ...debian, platform: 'win32' },
    { ...debian, platform: 'darwin', arch: 'arm64' },
    { ...debian, arch: 'arm64' },
    { ...debian, glibc: undefined },
  ]) {
    expect(() => checkMachine(other)).toThrow(/publishes no library for this platform.*onnxruntime/);
  }
});

test('tags name the glibc that they need', () => {
  expect(glibcOf('manylinux_2_27_x86_64')).toBe('2.27');
  expect(glibcOf('manylinux_2_17_x86_64.manylinux2014_x86_64')).toBe('2.17');
  expect(glibcOf('manylinux_2_17_aarch64')).toBeUndefined();
  expect(glibcOf('win_amd64')).toBeUndefined();
});

test('a wheel for an older glibc runs here, one for a newer does not', () => {
  expect(() => checkWheelTag('manylinux_2_27_x86_64', debian)).not.toThrow();
  expect(() => checkWheelTag('manylinux_2_36_x86_64', debian)).not.toThrow();
  expect(() => checkWheelTag('manylinux_2_40_x86_64', debian)).toThrow(/glibc 2.36/);
  expect(() => checkWheelTag('manylinux_3_0_x86_64', debian)).toThrow(/another platform/);
  expect(() => checkWheelTag('win_amd64', debian)).toThrow(/another platform/);
});

test('this machine is described', () => {
  expect(thisMachine()).toMatchObject({ platform: process.platform, arch: process.arch });
});
