// Frames of a camera.

export class Camera {
    #button;
    #say;
    #video;

    constructor(button, say) {
        this.#button = button;
        this.#say = say;
    }

    get running() {
        return Boolean(this.#video);
    }

    /** The current frame, or null without a camera. */
    frame() {
        return this.#video ?? null;
    }

    async toggle(started) {
        if (this.running) return this.stop();
        try {
            if (!navigator.mediaDevices) throw new Error('this browser offers none to this page');
            const video = document.createElement('video');
            video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 } } });
            Object.assign(video, { muted: true, playsInline: true });
            await video.play();
            this.#video = video;
            this.#button.setAttribute('aria-pressed', 'true');
            started();
        } catch (error) {
            this.#say(`No camera: ${error.message}`, true);
        }
    }

    stop() {
        for (const track of this.#video?.srcObject.getTracks() ?? []) track.stop();
        this.#video = undefined;
        this.#button.setAttribute('aria-pressed', 'false');
    }
}
