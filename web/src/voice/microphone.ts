import { type RecorderErrorCode, RecorderFailure } from './recorder-failure';

/**
 * Asks for the microphone; the browser asks the person the first time.
 *
 * @throws RecorderFailure
 */
export async function openMicrophone(): Promise<MediaStream> {
  // Undefined outside secure contexts, whatever the type says.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (!devices?.getUserMedia) throw new RecorderFailure('unsupported');
  try {
    return await devices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
  } catch (error) {
    throw new RecorderFailure(microphoneErrorOf(error), { cause: error });
  }
}

/** Stops the microphone's tracks, so that the browser's indicator goes out. */
export function closeMicrophone(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}

/** Media Capture and Streams §10.3: what each exception of getUserMedia means for the person. */
function microphoneErrorOf(error: unknown): RecorderErrorCode {
  switch (error instanceof DOMException ? error.name : '') {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'denied';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'no-microphone';
    case 'NotReadableError':
    case 'AbortError':
      return 'busy';
    default:
      return 'failed';
  }
}
