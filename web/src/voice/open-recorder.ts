import { closeMicrophone, openMicrophone } from './microphone';
import type { Recorder, RecorderEvents } from './recorder';
import { RecorderFailure } from './recorder-failure';

/** The ways to record there are; tests hand in their own. */
export interface RecorderWays {
  openMicrophone(): Promise<MediaStream>;
  /** WebCodecs in a worker. `onBroken` is called when its encoder breaks later. The stream stays open when it throws. */
  webCodecs(stream: MediaStream, events: RecorderEvents, onBroken: () => void): Promise<Recorder>;
  /** MediaRecorder, remuxed to Ogg. The stream stays open when it throws. */
  mediaRecorder(stream: MediaStream, events: RecorderEvents): Promise<Recorder>;
}

/** @throws RecorderFailure */
export type OpenRecorder = (events: RecorderEvents) => Promise<Recorder>;

const browserWays: RecorderWays = {
  openMicrophone,
  webCodecs: async (...terms) => (await import('./webcodecs-recorder')).openWebCodecsRecorder(...terms),
  mediaRecorder: async (...terms) => (await import('./media-recorder')).openMediaRecorder(...terms),
};

/**
 * Makes what opens the microphone with the best recorder there is: WebCodecs, and MediaRecorder where that is missing or
 * does not work. An encoder that broke once in a recording is not tried again while the page lives.
 */
export function createRecorderOpener(ways: RecorderWays = browserWays): OpenRecorder {
  let isBroken = false;
  const open = async (stream: MediaStream, events: RecorderEvents): Promise<Recorder> => {
    if (!isBroken) {
      const onBroken = () => {
        isBroken = true;
      };
      try {
        return await ways.webCodecs(stream, events, onBroken);
      } catch {
        // Whatever is wrong with it, the other way may still record.
      }
    }
    return ways.mediaRecorder(stream, events);
  };
  return async (events) => {
    const stream = await ways.openMicrophone();
    try {
      return await open(stream, events);
    } catch (error) {
      closeMicrophone(stream);
      if (error instanceof RecorderFailure) throw error;
      throw new RecorderFailure('failed', { cause: error });
    }
  };
}
