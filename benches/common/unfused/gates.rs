//! Gradients of layers and gates, operation by operation, as an autograd framework runs them.

use visual_attention::{Epilogue, Nchw, Size, wgpu};

use super::{Join, RELU, RELU_BACKWARD, SIGMOID, SIGMOID_BACKWARD, Unfused, by_pixel};
use crate::common::by_name::Measured;

/// What the forward pass of an excitation keeps: a vector of each image, and the hidden layer behind its [`RELU`].
pub(crate) struct Excited {
    pub(crate) pooled: wgpu::Buffer,
    pub(crate) hidden: wgpu::Buffer,
}

/// What the forward pass of a spatial gate keeps.
pub(crate) struct Gated {
    /// Maximum and mean over the channels, `[n, 2, h, w]`.
    planes: wgpu::Buffer,
    /// The first channel that has the maximum.
    first: wgpu::Buffer,
    /// The convolution's output, less the norm's mean and divided by its deviation.
    normal: wgpu::Buffer,
    pub(crate) gate: wgpu::Buffer,
}

/// A convolution with 7 x 7 taps, and its norm.
pub(crate) struct SpatialLayer<'a> {
    pub(crate) weight: &'a wgpu::Buffer,
    /// Weight, bias, mean and variance.
    pub(crate) norm: [&'a wgpu::Buffer; 4],
}

pub(crate) struct SpatialGradients {
    pub(crate) features: wgpu::Buffer,
    pub(crate) weight: wgpu::Buffer,
    pub(crate) norm_weight: wgpu::Buffer,
    pub(crate) norm_bias: wgpu::Buffer,
}

const KERNEL: Size = Size::new(7, 7);

impl Unfused {
    /// `x [rows, columns]` with its axes exchanged.
    pub(crate) fn transposed(&mut self, x: &wgpu::Buffer, rows: u64) -> wgpu::Buffer {
        let len = x.size() / 4;
        self.each(&format!("a[i % #{rows} * #{} + i / #{rows}]", len / rows), &[x], len)
    }

    /// The gradients of the input and of the weight of [`Self::linear`], from the gradient `upstream [batch, outputs]` of its result.
    pub(crate) fn linear_backward(
        &mut self,
        x: &wgpu::Buffer,
        weight: &wgpu::Buffer,
        upstream: &wgpu::Buffer,
        batch: u32,
    ) -> [wgpu::Buffer; 2] {
        let [inputs, outputs] = [x, upstream].map(|tensor| tensor.size() / 4 / u64::from(batch));
        let product = |image: u64| {
            let (first_output, first_input) = (image * outputs, image * inputs);
            format!("a[i / #{inputs} + #{first_output}] * b[i % #{inputs} + #{first_input}]")
        };
        let products: Vec<_> = (0..batch.into()).map(product).collect();
        let of_weight = self.each(&products.join(" + "), &[upstream, x], inputs * outputs);
        let turned = self.transposed(weight, outputs);
        [self.linear(upstream, &turned, batch), of_weight]
    }

    /// The upstream gradient, behind the [`RELU`] of a residual tail.
    pub(crate) fn upstream(&mut self, measured: &Measured, epilogue: Epilogue) -> wgpu::Buffer {
        let upstream = measured.input("output_gradient");
        if epilogue != Epilogue::Residual {
            return upstream.clone();
        }
        self.each(RELU_BACKWARD, &[upstream, measured.input("output")], upstream.size() / 4)
    }

    /// The gradients of the features and of the gate of [`Self::scale`].
    pub(crate) fn scale_backward(
        &mut self,
        features: &wgpu::Buffer,
        gate: &wgpu::Buffer,
        upstream: &wgpu::Buffer,
        shape: Nchw,
    ) -> [wgpu::Buffer; 2] {
        let products = self.multiply(upstream, features);
        let of_gate = self.rows(Join::Sum, &products, gate.size() / 4);
        [self.scale(upstream, gate, shape), of_gate]
    }

    /// The gradients of the features and of the gate of [`Self::scale_pixels`].
    pub(crate) fn scale_pixels_backward(
        &mut self,
        features: &wgpu::Buffer,
        gate: &wgpu::Buffer,
        upstream: &wgpu::Buffer,
        shape: Nchw,
    ) -> [wgpu::Buffer; 2] {
        let products = self.multiply(upstream, features);
        let of_gate = self.across(Join::Sum, &products, shape.channels, shape.size().pixels());
        [self.scale_pixels(upstream, gate, shape), of_gate]
    }

    /// What each pixel has of the gradient of its plane's mean.
    pub(crate) fn mean_backward(&mut self, of_mean: &wgpu::Buffer, shape: Nchw) -> wgpu::Buffer {
        let pixels = shape.size().pixels();
        let len = of_mean.size() / 4 * pixels;
        self.each(&format!("a[i / #{pixels}] / f32(#{pixels})"), &[of_mean], len)
    }

    /// The gradient of each row's maximum of `length` numbers, at `first`: see [`Self::first_of_rows`].
    pub(crate) fn maximum_backward(
        &mut self,
        of_maximum: &wgpu::Buffer,
        first: &wgpu::Buffer,
        length: u64,
    ) -> wgpu::Buffer {
        let chosen = format!("select(0.0, a[i / #{length}], f32(i % #{length}) == b[i / #{length}])");
        self.each(&chosen, &[of_maximum, first], of_maximum.size() / 4 * length)
    }

    /// Where each row of `length` numbers has its first maximum.
    pub(crate) fn first_of_rows(&mut self, x: &wgpu::Buffer, length: u64) -> wgpu::Buffer {
        let at = self.argmax("f32", x, length as u32);
        self.each_of(["u32", "f32"], "f32(a[i])", &[&at], x.size() / 4 / length)
    }

    /// The forward pass of [`Self::excite`], with what it keeps: the second layer's output comes first.
    pub(crate) fn excite_kept(
        &mut self,
        pooled: wgpu::Buffer,
        [reduce, expand]: [&wgpu::Buffer; 2],
        batch: u32,
    ) -> (wgpu::Buffer, Excited) {
        let hidden = self.linear(&pooled, reduce, batch);
        let hidden = self.each(RELU, &[&hidden], hidden.size() / 4);
        (self.linear(&hidden, expand, batch), Excited { pooled, hidden })
    }

    /// The gradients of the pooled vectors and of both weights of [`Self::excite`].
    pub(crate) fn excite_backward(
        &mut self,
        kept: &Excited,
        [reduce, expand]: [&wgpu::Buffer; 2],
        upstream: &wgpu::Buffer,
        batch: u32,
    ) -> [wgpu::Buffer; 3] {
        let [of_hidden, of_expand] = self.linear_backward(&kept.hidden, expand, upstream, batch);
        let of_hidden = self.each(RELU_BACKWARD, &[&of_hidden, &kept.hidden], of_hidden.size() / 4);
        let [of_pooled, of_reduce] = self.linear_backward(&kept.pooled, reduce, &of_hidden, batch);
        [of_pooled, of_reduce, of_expand]
    }

    /// The sums over images and pixels of each of the planes of `x [n, planes, pixels]` times `by [n, pixels]`.
    pub(crate) fn weighted_sums(
        &mut self,
        x: &wgpu::Buffer,
        by: &wgpu::Buffer,
        batch: u32,
        pixels: u64,
    ) -> wgpu::Buffer {
        let len = x.size() / 4;
        let image = len / u64::from(batch);
        let products = format!("a[i] * b[i / #{image} * #{pixels} + i % #{pixels}]");
        let products = self.each(&products, &[x, by], len);
        let sums = self.rows(Join::Sum, &products, len / pixels);
        self.across(Join::Sum, &sums, batch, image / pixels)
    }

    /// The forward pass of a spatial gate.
    pub(crate) fn spatial(&mut self, x: &wgpu::Buffer, layer: &SpatialLayer<'_>, shape: Nchw) -> Gated {
        let (pixels, channels) = (shape.size().pixels(), shape.channels);
        let maps = u64::from(shape.batch) * pixels;
        let [maximum, mean] = [Join::Maximum, Join::Mean].map(|join| self.across(join, x, channels, pixels));
        // Of equal numbers the first channel has the gradient.
        let ranks = format!("select(-1e9, -f32(i / #{pixels} % #{channels}), a[i] == b[{}])", by_pixel(shape));
        let ranks = self.each(&ranks, &[x, &maximum], x.size() / 4);
        let ranks = self.across(Join::Maximum, &ranks, channels, pixels);
        let first = self.each("-a[i]", &[&ranks], maps);
        let plane = by_pixel(Nchw { channels: 2, ..shape });
        let side_by_side = format!("select(a[{plane}], b[{plane}], i / #{pixels} % 2u == 1u)");
        let planes = self.each(&side_by_side, &[&maximum, &mean], 2 * maps);
        let sums = self.conv(&planes, Nchw { channels: 2, ..shape }, layer.weight, KERNEL);
        let [weight, bias, mean, variance] = layer.norm;
        let normal = self.each("(a[i] - b[0]) / sqrt(c[0] + 1e-5)", &[&sums, mean, variance], maps);
        let logits = self.each("a[i] * b[0] + c[0]", &[&normal, weight, bias], maps);
        let gate = self.each(SIGMOID, &[&logits], maps);
        Gated { planes, first, normal, gate }
    }

    /// The gradients of a spatial gate and of the features times it.
    pub(crate) fn spatial_backward(
        &mut self,
        x: &wgpu::Buffer,
        kept: &Gated,
        layer: &SpatialLayer<'_>,
        upstream: &wgpu::Buffer,
        shape: Nchw,
    ) -> SpatialGradients {
        let Nchw { batch, channels, .. } = shape;
        let (len, pixels) = (x.size() / 4, shape.size().pixels());
        let maps = u64::from(batch) * pixels;
        let [scaled, of_gate] = self.scale_pixels_backward(x, &kept.gate, upstream, shape);
        let of_logits = self.each(SIGMOID_BACKWARD, &[&of_gate, &kept.gate], maps);
        let norm_bias = self.rows(Join::Sum, &of_logits, 1);
        let products = self.multiply(&of_logits, &kept.normal);
        let norm_weight = self.rows(Join::Sum, &products, 1);
        let [factor, _, _, variance] = layer.norm;
        let of_sums = self.each("a[i] * b[0] / sqrt(c[0] + 1e-5)", &[&of_logits, factor, variance], maps);

        let unfolded = self.unfold(&kept.planes, 0..2 * batch, shape.size(), KERNEL, Size::new(3, 3));
        let weight = self.weighted_sums(&unfolded, &of_sums, batch, pixels);
        // Turned about, the taps of both planes are two filters of one plane.
        let turned = self.each("a[i / #49 * #49 + #48 - i % #49]", &[layer.weight], 98);
        let of_planes = self.conv(&of_sums, Nchw { channels: 1, ..shape }, &turned, KERNEL);

        let image = u64::from(channels) * pixels;
        let plane = |plane: u64| format!("a[i / #{image} * #{} + #{} + i % #{pixels}]", 2 * pixels, plane * pixels);
        let spread = self.each(&format!("{} / f32(#{channels})", plane(1)), &[&of_planes], len);
        let channel = format!("f32(i / #{pixels} % #{channels})");
        let chosen = format!("select(0.0, {}, b[{}] == {channel})", plane(0), by_pixel(shape));
        let chosen = self.each(&chosen, &[&of_planes, &kept.first], len);
        let features = self.add(&scaled, &spread);
        SpatialGradients { features: self.add(&features, &chosen), weight, norm_weight, norm_bias }
    }

    /// The gradients of `x [n, c, h, w]` and of the weights of 1 x 1 convolutions `[outputs, c]` of it, each with its upstream gradient.
    pub(crate) fn projections_backward(
        &mut self,
        x: &wgpu::Buffer,
        shape: Nchw,
        layers: &[(&wgpu::Buffer, &wgpu::Buffer)],
    ) -> (wgpu::Buffer, Vec<wgpu::Buffer>) {
        assert_eq!(shape.batch, 1, "a matrix product for each layer");
        let mut of_x: Option<wgpu::Buffer> = None;
        let mut weights = Vec::new();
        for (weight, upstream) in layers {
            let outputs = (weight.size() / 4) as u32 / shape.channels;
            weights.push(self.linear(upstream, x, outputs));
            let turned = self.transposed(weight, outputs.into());
            let part = self.conv(upstream, Nchw { channels: outputs, ..shape }, &turned, Size::new(1, 1));
            of_x = Some(match of_x {
                Some(sum) => self.add(&sum, &part),
                None => part,
            });
        }
        (of_x.expect("a layer"), weights)
    }
}
